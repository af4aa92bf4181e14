// EventWriter: scalars for TensorBoard, in RUN/events.out.tfevents.cambium. The file is a sequence of TFRecords
// (length, CRC, data, CRC), each a protobuf `Event` with one scalar; apart from the wall times it is a function of what
// was written, and after a crash it continues exactly where the run does.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <span>
#include <string>
#include <string_view>

namespace cambium {

class EventWriter {
  public:
    // Opens RUN's event file, or creates it. What an earlier run wrote is kept up to its first event of a step above
    // `last_step` (the step of the state it resumes from) and up to its first damaged record; the rest is cut off. A
    // new run passes 0 for `last_step` and starts the file anew. Events of `last_step` itself stay, so they must be
    // written before its state is saved. Throws Error if the file cannot be read or written.
    explicit EventWriter(const std::filesystem::path& run, std::int64_t last_step = 0);

    // One point of the curve `tag` ("loss/train"). Steps must not decrease. TensorBoard shows NaN as it is.
    void scalar(std::string_view tag, std::int64_t step, double value);
    // Hands what was written to the system; call it wherever a line of metrics is written. Throws Error (disk full).
    void flush();

  private:
    void write(std::string_view event);

    std::filesystem::path path_;
    std::ofstream file_;
};

// CRC-32C (Castagnoli; RFC 3720 B.4), and TFRecord's rotation of it, which keeps a CRC of data that hold CRCs apart.
std::uint32_t crc32c(std::string_view bytes);
std::uint32_t masked_crc32c(std::string_view bytes);

}  // namespace cambium
