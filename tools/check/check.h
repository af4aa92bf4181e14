#pragma once

namespace cambium {

int check_command(int argc, char** argv);

}  // namespace cambium
