// SIGINT and SIGTERM as a flag that the loop looks at between steps. A second signal ends the process as usual.
#pragma once

namespace cambium {

void catch_interrupts();
bool interrupted();

}  // namespace cambium
