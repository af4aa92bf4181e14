#pragma once

namespace cambium {

// cambium devices: what can compute here, and which libraries this build has.
int devices_command(int argc, char** argv);

}  // namespace cambium
