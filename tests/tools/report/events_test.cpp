#include "tools/report/events.h"

#include <doctest/doctest.h>

#include <cmath>
#include <cstring>

#include "engine/base/error.h"
#include "tests/tools/report/run_folder.h"

using namespace cambium;

namespace {

constexpr const char* file = "events.out.tfevents.cambium";

// The file without what depends on the clock: wall times, and the CRCs over them. Checks every CRC on the way.
std::string without_clock(std::string bytes) {
    std::string out;
    for (std::size_t at = 0; at < bytes.size();) {
        REQUIRE(bytes.size() - at > 16);
        std::uint64_t length = 0;
        std::uint32_t head_crc = 0, data_crc = 0;
        std::memcpy(&length, &bytes[at], 8);
        std::memcpy(&head_crc, &bytes[at + 8], 4);
        REQUIRE(length <= bytes.size() - at - 16);
        std::string data = bytes.substr(at + 12, length);
        std::memcpy(&data_crc, &bytes[at + 12 + length], 4);
        CHECK(head_crc == masked_crc32c(bytes.substr(at, 8)));
        CHECK(data_crc == masked_crc32c(data));
        data.replace(1, 8, 8, '\0');
        out += data + '|';
        at += 16 + length;
    }
    return out;
}

void log_steps(EventWriter& events, std::int64_t first, std::int64_t last) {
    for (std::int64_t step = first; step <= last; ++step) {
        events.scalar("loss/train", step, 1.0 / static_cast<double>(step));
        events.scalar("lr", step, 0.01);
    }
    events.flush();
}

}  // namespace

TEST_CASE("CRC-32C equals the vectors of RFC 3720, B.4") {
    CHECK(crc32c("") == 0);
    CHECK(crc32c("123456789") == 0xe3069283u);
    CHECK(crc32c(std::string(32, '\0')) == 0x8a9136aau);
    CHECK(crc32c(std::string(32, '\xff')) == 0x62a8ab43u);
    std::string up, down;
    for (int i = 0; i < 32; ++i) {
        up += static_cast<char>(i);
        down += static_cast<char>(31 - i);
    }
    CHECK(crc32c(up) == 0x46dd794eu);
    CHECK(crc32c(down) == 0x113fdb5cu);
}

TEST_CASE("an event is the protobuf that TensorBoard reads, byte by byte") {
    test::RunFolder run;
    {
        EventWriter events(run.path);
        events.scalar("a", 300, 1.5);
        events.flush();
    }
    const std::string clock(8, '\0');
    const std::string version = "\x09" + clock + std::string("\x10\x00\x1a\x0d", 4) + "brain.Event:2";
    const std::string scalar = "\x09" + clock + "\x10\xac\x02" + "\x2a\x0a" + "\x0a\x08" + "\x0a\x01" + "a" +
                               std::string("\x15\x00\x00\xc0\x3f", 5);
    CHECK(without_clock(run.read(file)) == version + "|" + scalar + "|");
}

TEST_CASE("a resumed run's file equals that of an uninterrupted one, times aside") {
    test::RunFolder whole, resumed;
    EventWriter(whole.path);
    {
        EventWriter events(whole.path);
        log_steps(events, 1, 9);
    }
    {
        EventWriter events(resumed.path);
        log_steps(events, 1, 7);  // the last state was saved at step 4
    }
    {
        EventWriter events(resumed.path, 4);
        log_steps(events, 5, 9);
    }
    CHECK(without_clock(resumed.read(file)) == without_clock(whole.read(file)));
}

TEST_CASE("what a crash or another program left behind is cut off") {
    test::RunFolder run;
    {
        EventWriter events(run.path);
        log_steps(events, 1, 3);
    }
    const std::string good = run.read(file);
    std::string flipped = good;
    flipped.back() = static_cast<char>(flipped.back() ^ 1);
    const std::string half = good + good.substr(0, 20);
    const std::string huge = good + std::string(8, '\xff') + good.substr(0, 20);
    for (const std::string& damaged : {half, huge, good + "rubbish"}) {
        run.put(file, damaged);
        EventWriter events(run.path, 100);
        CHECK(run.read(file) == good);
    }
    run.put(file, flipped);
    EventWriter(run.path, 100);
    CHECK(run.read(file).size() < good.size());
    CHECK(good.starts_with(run.read(file)));
    run.put(file, "not an event file");
    EventWriter(run.path, 100);
    CHECK(without_clock(run.read(file)).find("brain.Event:2") != std::string::npos);
}

TEST_CASE("a new run starts the file anew; NaN is a value like others; a missing folder is named") {
    test::RunFolder run;
    {
        EventWriter events(run.path);
        log_steps(events, 1, 3);
        events.scalar("loss/train", 4, std::nan(""));
        events.flush();
    }
    CHECK(without_clock(run.read(file)).find("loss/train") != std::string::npos);
    EventWriter(run.path);
    CHECK(without_clock(run.read(file)).find("loss/train") == std::string::npos);
    CHECK_THROWS_AS(EventWriter(run.path / "absent"), Error);
}
