// cambium sheet: a contact sheet of labelled photos, one row a class. Photos stand in it as a network gets them:
// upright, the short side resized, the central square. Rows bear no names; the terminal lists them in their order.
#include "tools/sheet/sheet.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <optional>

#include "data/formats/atomic_file.h"
#include "data/images/decode.h"
#include "data/images/loader.h"
#include "data/images/transforms.h"
#include "data/leaves/png.h"
#include "engine/base/fail.h"
#include "engine/base/parallel.h"
#include "models/nearest.h"
#include "tools/common/command.h"
#include "tools/common/terminal.h"
#include "tools/training/dataset.h"

namespace cambium {
namespace {

struct Options {
    std::string data, split = "train", out = "sheet.png";
    std::int64_t columns = 8, size = 128;
};

constexpr std::string_view split_names[] = {"train", "val", "test"};
constexpr std::int64_t gap = 4;  // white pixels between photos

struct Photos {
    std::vector<std::string> classes;
    std::shared_ptr<const ImageSource> source;
};

// The chosen split, which is not empty. Photos are not opened here, so that a broken one costs its own place only.
Photos open_photos(const Options& options) {
    const auto chosen = std::ranges::find(split_names, options.split) - std::begin(split_names);
    if (chosen == std::ssize(split_names)) {
        fail_usage("there is no split '{}'; {}", options.split, did_you_mean(options.split, split_names));
    }
    Photos photos;
    if (is_leaves(options.data)) {
        const Dataset sample = open_dataset(options.data);
        photos = {sample.classes,
                  std::array{sample.train, sample.validation, sample.test}[static_cast<std::size_t>(chosen)]};
    } else {
        ImageFolder folder = open_image_folder(options.data);
        for (const LeftOut& left : folder.left_out) say(fmt::format("{}: {}", left.path.string(), left.reason));
        std::vector<Sample>* const splits[] = {&folder.train, &folder.validation, &folder.test};
        photos = {std::move(folder.classes), std::make_shared<FileSource>(std::move(*splits[chosen]))};
    }
    if (!photos.source || photos.source->size() == 0) {
        fail_usage("{} has no photos in its split '{}'; choose another --split", options.data, options.split);
    }
    return photos;
}

// Which photos stand where: row by row, a class's photos in the order of the data.
std::vector<std::vector<std::int64_t>> rows_of(const Photos& photos) {
    std::vector<std::vector<std::int64_t>> rows(photos.classes.size());
    for (std::int64_t i = 0; i < photos.source->size(); ++i) {
        rows[static_cast<std::size_t>(photos.source->label(i))].push_back(i);
    }
    return rows;
}

// White, with room for the photos and a gap around each.
Image blank_sheet(std::size_t rows, std::int64_t columns, std::int64_t side) {
    const std::int64_t width = columns * (side + gap) + gap;
    const std::int64_t height = static_cast<std::int64_t>(rows) * (side + gap) + gap;
    if (width * height > pixel_limit) {
        fail("a sheet of {} x {} pixels is too large to be opened anywhere; choose a smaller --size or fewer --columns",
             width, height);
    }
    Image sheet({static_cast<int>(width), static_cast<int>(height)});
    std::ranges::fill(sheet.pixels(), std::uint8_t{255});
    return sheet;
}

void place(std::span<const std::uint8_t> photo, std::int64_t row, std::int64_t column, std::int64_t side,
           Image& sheet) {
    const auto bytes = static_cast<std::size_t>(side) * Image::channels;
    for (std::int64_t y = 0; y < side; ++y) {
        std::uint8_t* to =
            sheet.at(static_cast<int>(gap + column * (side + gap)), static_cast<int>(gap + row * (side + gap) + y));
        std::memcpy(to, photo.data() + static_cast<std::size_t>(y) * bytes, bytes);
    }
}

Exit draw(const Options& options) {
    const Photos photos = open_photos(options);
    const std::vector<std::vector<std::int64_t>> rows = rows_of(photos);
    std::size_t longest = 0;
    for (const auto& row : rows) longest = std::max(longest, row.size());
    const std::int64_t columns = std::min(options.columns, static_cast<std::int64_t>(longest));
    Image sheet = blank_sheet(rows.size(), columns, options.size);

    const int side = static_cast<int>(options.size);
    const Preprocessing square{.resize = side, .crop = side};
    const auto cells = static_cast<std::int64_t>(rows.size()) * columns;
    std::vector<std::optional<std::string>> errors(static_cast<std::size_t>(cells));
    parallel_for(cells, 1, [&](std::int64_t begin, std::int64_t end) {
        std::vector<std::uint8_t> pixels(static_cast<std::size_t>(side * side) * Image::channels);
        for (std::int64_t cell = begin; cell < end; ++cell) {
            const auto& row = rows[static_cast<std::size_t>(cell / columns)];
            const auto column = static_cast<std::size_t>(cell % columns);
            if (column >= row.size()) continue;
            try {
                prepare_for_evaluation(photos.source->image(row[column]), square, pixels);
                place(pixels, cell / columns, cell % columns, options.size, sheet);
            } catch (const Error& error) {
                errors[static_cast<std::size_t>(cell)] = error.what();
            }
        }
    });

    AtomicFile file(options.out);
    file.write(encode_png(sheet));
    file.commit();
    print(fmt::format("{}: {} of up to {}, {} x {} pixels\n", options.out, counted(std::ssize(rows), "row"),
                      counted(columns, "photo"), sheet.width(), sheet.height()));
    for (std::size_t i = 0; i < rows.size(); ++i) {
        print(fmt::format("{:4}  {} ({})\n", i + 1, photos.classes[i], counted(std::ssize(rows[i]), "photo")));
    }
    const auto failures = std::ranges::count_if(errors, [](const auto& error) { return error.has_value(); });
    for (const auto& error : errors) {
        if (error) say(*error);
    }
    if (failures > 0) say(fmt::format("{} of the photos were not read; their places are blank", failures));
    return failures > 0 ? Exit::failed : Exit::done;
}

}  // namespace

int sheet_command(int argc, char** argv) {
    Options options;
    CommandLine line("sheet", "Shows the first photos of each class side by side, one row a class, in one PNG.");
    line.positional("DATA", options.data, "A folder of photos, a CSV manifest, or leaves, the built-in sample");
    line.option("--split", options.split, "Which photos: train, val or test");
    line.option("--columns", options.columns, "How many photos of each class", 1, 1000);
    line.option("--size", options.size, "Side of a photo in pixels", 8, 4096);
    line.option("--out", options.out, "The file to write");
    return line.run(argc, argv, [&] { return draw(options); });
}

}  // namespace cambium
