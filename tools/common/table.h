// Table: rows of cells as lines of text that fit a width. A column is as wide as its widest cell; where there is no
// room for all columns, the least important ones are left out.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace cambium {

class Table {
  public:
    enum class Align : std::uint8_t { left, right };
    struct Column {
        std::string title;
        Align align = Align::left;
        // Where room is short, the lowest goes first. Those above 0 go only where shortening the first column down to
        // `narrowest` does not help.
        int importance = 0;
    };
    explicit Table(std::vector<Column> columns, std::size_t narrowest = 20);

    // One cell for each column; what is missing is empty. Control characters are escaped.
    void add(std::vector<std::string> cells);
    // A line of its own between rows, as it is.
    void heading(std::string text);

    // Lines of at most `width` columns, with the titles first if any column has one. The first column is never left
    // out; it keeps the ends of its cells.
    std::string text(std::size_t width) const;

  private:
    struct Row {
        std::vector<std::string> cells;
        std::string heading;  // then there are no cells
    };
    std::vector<bool> shown(const std::vector<std::size_t>& widths, std::size_t width) const;
    std::vector<Column> columns_;
    std::size_t narrowest_;
    std::vector<Row> rows_;
};

}  // namespace cambium
