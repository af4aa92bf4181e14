// SIGINT and SIGTERM, also where a shell let them be ignored. As long as there is nothing to save they end the process
// at once, with exit status 130 and a sentence; from save_on_interrupt() on they are a flag that the loop looks at
// between steps. A second signal then ends the process as usual.
#pragma once

namespace cambium {

void catch_interrupts();
void save_on_interrupt();
bool interrupted();

}  // namespace cambium
