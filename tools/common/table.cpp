#include "tools/common/table.h"

#include <algorithm>

#include "engine/base/utf8.h"
#include "tools/common/terminal.h"

namespace cambium {
namespace {

// Spaces before a column that is not the first. Numbers rarely fill theirs.
std::size_t gap(const Table::Column& column) { return column.align == Table::Align::right ? 1 : 2; }

std::size_t total(const std::vector<Table::Column>& columns, const std::vector<std::size_t>& widths,
                  const std::vector<bool>& shown) {
    std::size_t sum = widths[0];
    for (std::size_t i = 1; i < widths.size(); ++i) sum += shown[i] ? gap(columns[i]) + widths[i] : 0;
    return sum;
}

}  // namespace

Table::Table(std::vector<Column> columns, std::size_t narrowest)
    : columns_(std::move(columns)), narrowest_(narrowest) {}

void Table::add(std::vector<std::string> cells) {
    cells.resize(columns_.size());
    for (std::string& cell : cells) cell = printable(cell);
    rows_.push_back({std::move(cells), {}});
}

void Table::heading(std::string text) { rows_.push_back({{}, std::move(text)}); }

std::vector<bool> Table::shown(const std::vector<std::size_t>& widths, std::size_t width) const {
    std::vector<bool> result(columns_.size(), true);
    std::vector<std::size_t> order;  // the order in which columns go
    for (std::size_t i = 1; i < columns_.size(); ++i) order.push_back(i);
    std::stable_sort(order.begin(), order.end(),
                     [&](std::size_t a, std::size_t b) { return columns_[a].importance < columns_[b].importance; });
    std::vector<std::size_t> least = widths;
    least[0] = std::min(least[0], narrowest_);
    for (const std::size_t index : order) {
        if (total(columns_, columns_[index].importance > 0 ? least : widths, result) <= width) break;
        result[index] = false;
    }
    return result;
}

std::string Table::text(std::size_t width) const {
    std::vector<std::size_t> widths;
    for (const Column& column : columns_) widths.push_back(columns(column.title));
    for (const Row& row : rows_) {
        for (std::size_t i = 0; i < row.cells.size(); ++i) widths[i] = std::max(widths[i], columns(row.cells[i]));
    }
    const std::vector<bool> visible = shown(widths, width);
    const std::size_t all = total(columns_, widths, visible);
    if (all > width) widths[0] -= std::min(all - width, widths[0] - std::min(widths[0], narrowest_));

    std::string text;
    const auto line = [&](const auto& cell_of) {
        std::string result;
        std::size_t at = 0;  // where the column begins
        for (std::size_t i = 0; i < columns_.size(); ++i) {
            if (!visible[i]) continue;
            at += i == 0 ? 0 : gap(columns_[i]);
            const std::string cell = i == 0 ? shortened_front(cell_of(i), widths[0]) : cell_of(i);
            const std::size_t indent = columns_[i].align == Align::right ? widths[i] - columns(cell) : 0;
            result.append(cell.empty() ? 0 : at + indent - columns(result), ' ');
            result += cell;
            at += widths[i];
        }
        text += result.substr(0, result.find_last_not_of(' ') + 1) + "\n";
    };
    if (std::ranges::any_of(columns_, [](const Column& column) { return !column.title.empty(); })) {
        line([&](std::size_t i) { return columns_[i].title; });
    }
    for (const Row& row : rows_) {
        if (row.cells.empty()) {
            text += row.heading + "\n";
        } else {
            line([&](std::size_t i) { return row.cells[i]; });
        }
    }
    return text;
}

}  // namespace cambium
