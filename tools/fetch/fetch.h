#pragma once

namespace cambium {

// cambium fetch NAME: published weights into the cache.
int fetch_command(int argc, char** argv);

}  // namespace cambium
