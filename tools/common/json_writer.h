// JsonWriter: JSON text built in the order it is to be read. Reals are the shortest decimals that give them back; what
// is not finite becomes null, and bytes that are not UTF-8 become U+FFFD, so that the text always parses.
#pragma once

#include <concepts>
#include <cstdint>
#include <string>
#include <string_view>

namespace cambium {

class JsonWriter {
  public:
    JsonWriter& begin_object() { return open('{'); }
    JsonWriter& end_object() { return close('}'); }
    JsonWriter& begin_array() { return open('['); }
    JsonWriter& end_array() { return close(']'); }
    JsonWriter& key(std::string_view name);

    JsonWriter& value(std::string_view text);
    JsonWriter& value(const char* text) { return value(std::string_view(text)); }
    JsonWriter& value(double number);
    JsonWriter& value(float number);
    JsonWriter& value(std::integral auto number) { return integer(static_cast<std::int64_t>(number)); }
    JsonWriter& value(bool truth);

    // key() and value() in one.
    template <class T>
    JsonWriter& field(std::string_view name, const T& v) {
        key(name);
        return value(v);
    }

    const std::string& text() const { return text_; }

  private:
    JsonWriter& open(char bracket);
    JsonWriter& close(char bracket);
    JsonWriter& integer(std::int64_t number);
    void separate();  // a comma where one is due
    void quote(std::string_view text);
    std::string text_;
};

}  // namespace cambium
