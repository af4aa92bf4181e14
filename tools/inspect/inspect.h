#pragma once

namespace cambium {

// cambium inspect FILE: what a weights file holds; cambium inspect --graph MODEL: a network as the engine runs it.
int inspect_command(int argc, char** argv);

}  // namespace cambium
