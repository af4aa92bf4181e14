#pragma once

namespace cambium {

// cambium finetune [DATA]: trains a network on someone's own photos, and says what was gained.
int finetune_command(int argc, char** argv);

}  // namespace cambium
