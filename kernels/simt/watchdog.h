// Turns what would end the process or never end it into a report: a crash in kernel code (guard pages, wild pointers),
// and a thread that runs for long without meeting anybody.
#pragma once

namespace cambium::simt {

class Watchdog {
  public:
    explicit Watchdog(double seconds);  // of the calling thread, while it lives
    ~Watchdog();
    Watchdog(const Watchdog&) = delete;
    Watchdog& operator=(const Watchdog&) = delete;
};

}  // namespace cambium::simt
