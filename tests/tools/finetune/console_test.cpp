// What a person sees must fit the terminal: no row wider than it, no word cut in two.
#include "tools/finetune/console.h"

#include <doctest/doctest.h>

#include "tools/common/progress.h"
#include "tools/common/terminal.h"

namespace cambium {
namespace {

// A long run on a slow machine: every number as wide as it gets.
Glance wide_glance() {
    return {.phase = "all",
            .epoch = 98,
            .epochs = 120,
            .batch = 1234,
            .batches = 2500,
            .loss = 12.345,
            .top1 = 1,
            .images_per_second = 1234.5,
            .seconds_left = 36'000,
            .wait_share = 0.995};
}

LogLine wide_line() {
    LogLine line{.step = 100'000, .epoch = 99, .phase = "all"};
    line.train_loss = 12.3456;
    line.val_loss = 10.2345;
    line.train_top1 = line.val_top1 = 1;
    line.images_per_second = 1234.5;
    line.epoch_seconds = 12345.6;
    line.wait_share = 0.995;
    return line;
}

}  // namespace

TEST_CASE("prose is broken at spaces, what stands after a break is indented, and no word is cut") {
    CHECK(wrapped("one two three", 7) == "one two\nthree");
    CHECK(wrapped("one two three", 8, 2) == "one two\n  three");
    CHECK(wrapped("  one two", 5, 4) == "  one\n    two");
    CHECK(wrapped("a /very/long/path b", 6, 2) == "a\n  /very/long/path\n  b");
    CHECK(wrapped("first\nsecond line", 8) == "first\nsecond\nline");
    CHECK(wrapped("Bl\u00e4tter gr\u00fcn", 13) == "Bl\u00e4tter gr\u00fcn");  // columns, not bytes
    CHECK(wrapped("", 10).empty());
    CHECK(clipped("Bl\u00e4tter", 3) == "Bl\u00e4");
    CHECK(counted(1, "class") == "1 class");
    CHECK(counted(2, "class") == "2 classes");
    CHECK(counted(0, "photo") == "0 photos");
}

TEST_CASE("a glance fits the terminal and loses its last parts first") {
    Glance glance = wide_glance();
    for (const std::size_t width : {20u, 40u, 60u, 79u, 100u, 200u})
        CHECK(columns(glance_line(glance, width)) <= width);
    CHECK(glance_line(glance, 200) ==
          "all epoch 99/120, batch 1234/2500: loss 12.345, accuracy 100.0 %, 10 h 0 min left, 1234.5 images/s, 99.5 % "
          "waiting for photos");
    const std::string usual = glance_line(glance, 79);
    for (const char* part : {"99/120", "1234/2500", "loss 12.345", "acc 100.0%", "10:00:00 left", "1234.5/s"}) {
        CHECK_MESSAGE(usual.find(part) != std::string::npos, part);
    }
    glance.images_per_second.reset();  // trained on features
    CHECK(glance_line(glance, 200).ends_with(" left"));
    CHECK(glance_line(glance, 79).ends_with(" left"));
}

TEST_CASE("rows of the table of epochs fit the terminal, the best one too, and stand below their titles") {
    for (const std::size_t width : {30u, 50u, 79u, 120u}) {
        CAPTURE(width);
        const std::string head = epoch_head(120, width), row = epoch_row(wide_line(), 98, 120, true, width);
        CHECK(columns(row) <= width);
        CHECK(row.ends_with("  best"));
        CHECK(columns(head) + columns("  best") == columns(row));
        CHECK(head.find("val acc.") != std::string::npos);
    }
    const std::string head = epoch_head(120, 79);
    for (const char* title : {"epoch", "loss", "accuracy", "val loss", "val acc.", "images/s", "seconds", "wait"}) {
        CHECK_MESSAGE(head.find(title) != std::string::npos, title);
    }
}

TEST_CASE("a progress bar takes the room that its words leave") {
    CHECK(progress_line("fetching", 5, 10, "MB", 2.5, 79) ==
          "fetching [###############               ] 5 of 10 MB, 2.5 a second");
    CHECK(progress_line("fetching", 5, 10, "MB", 2.5, 45) == "fetching [####     ] 5 of 10 MB, 2.5 a second");
    CHECK(progress_line("fetching", 5, 10, "MB", 2.5, 30) == "fetching 5 of 10 MB, 2.5 a sec");
}

}  // namespace cambium
