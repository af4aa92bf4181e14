#pragma once

namespace cambium {

// cambium evaluate SOURCE DATA: accuracy on a folder of labelled photos.
int evaluate_command(int argc, char** argv);

}  // namespace cambium
