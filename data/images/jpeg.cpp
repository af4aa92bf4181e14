// JPEG through libjpeg-turbo, with the settings Pillow decodes by: exact integer DCT, smooth chroma upsampling, CMYK
// taken as Adobe writes it (inverted). libjpeg reports errors by longjmp, so every call into it runs inside attempt().
#include <csetjmp>
#include <cstdio>  // jpeglib.h needs FILE

#include <jerror.h>
#include <jpeglib.h>

#include <algorithm>
#include <vector>

#include "data/images/codecs.h"
#include "engine/base/fail.h"

namespace cambium::libjpeg {

namespace {

struct ErrorManager : jpeg_error_mgr {
    std::jmp_buf jump;
    bool cut_off = false;
};

[[noreturn]] void on_error(j_common_ptr codec) { std::longjmp(static_cast<ErrorManager*>(codec->err)->jump, 1); }

// Damaged entropy-coded data are warnings to libjpeg, and to Pillow, which keeps what could be decoded.
void on_warning(j_common_ptr, int) {}

void nothing(j_decompress_ptr) {}

// All bytes are there from the start, so being asked for more means that the file is cut off.
boolean on_end_of_data(j_decompress_ptr codec) {
    static_cast<ErrorManager*>(codec->err)->cut_off = true;
    ERREXIT(codec, JERR_INPUT_EOF);
    return FALSE;
}

void skip(j_decompress_ptr codec, long count) {
    if (count <= 0) return;
    jpeg_source_mgr& source = *codec->src;
    if (static_cast<std::size_t>(count) > source.bytes_in_buffer) on_end_of_data(codec);
    source.next_input_byte += count;
    source.bytes_in_buffer -= static_cast<std::size_t>(count);
}

// Pillow's cmyk2rgb on inverted samples: with k = 255 - K and x the stored sample, R = k - (255 - x) * k / 255,
// rounded.
void cmyk_to_rgb(const std::uint8_t* cmyk, std::uint8_t* rgb, int width) {
    for (int x = 0; x < width; ++x, cmyk += 4, rgb += 3) {
        const int black = cmyk[3];  // inverted: 255 means no black ink
        for (int c = 0; c < 3; ++c) {
            const int product = (255 - cmyk[c]) * black + 128;
            rgb[c] = static_cast<std::uint8_t>(std::max(0, black - (((product >> 8) + product) >> 8)));
        }
    }
}

class Decoder {
  public:
    Decoder(std::span<const std::byte> bytes, std::string_view name) : name_(name), size_(bytes.size()) {
        codec_.err = jpeg_std_error(&errors_);
        errors_.error_exit = on_error;
        errors_.emit_message = on_warning;
        attempt([this] { jpeg_create_decompress(&codec_); });
        source_.next_input_byte = reinterpret_cast<const JOCTET*>(bytes.data());
        source_.bytes_in_buffer = bytes.size();
        source_.init_source = nothing;
        source_.fill_input_buffer = on_end_of_data;
        source_.skip_input_data = skip;
        source_.resync_to_restart = jpeg_resync_to_restart;
        source_.term_source = nothing;
        codec_.src = &source_;
    }
    Decoder(const Decoder&) = delete;
    Decoder& operator=(const Decoder&) = delete;
    ~Decoder() { jpeg_destroy_decompress(&codec_); }

    Size read_header() {
        attempt([this] { jpeg_read_header(&codec_, TRUE); });
        return {static_cast<int>(codec_.image_width), static_cast<int>(codec_.image_height)};
    }

    Image read_image() {
        const int components = codec_.num_components;
        if (components != 1 && components != 3 && components != 4)
            fail("cannot read {}: a JPEG image with {} components; convert it to RGB", name_, components);
        codec_.out_color_space = components == 4 ? JCS_CMYK : JCS_RGB;
        attempt([this] { jpeg_start_decompress(&codec_); });
        Image image({static_cast<int>(codec_.output_width), static_cast<int>(codec_.output_height)});
        std::vector<std::uint8_t> line(components == 4 ? codec_.output_width * std::size_t{4} : 0);
        attempt([this, &image, &line] { read_lines(image, line); });
        // What follows the last line is not read, as Pillow does not: some cameras leave out the end marker.
        return image;
    }

  private:
    // Only trivially destructible objects may live in `step`'s frames: an error jumps over them.
    template <class Step>
    void attempt(Step&& step) {
        if (setjmp(errors_.jump) != 0) raise();
        step();
    }

    [[noreturn]] void raise() const {
        if (errors_.cut_off)
            fail("cannot read {}: the JPEG image is cut off after {} bytes; copy it again or remove it", name_, size_);
        switch (errors_.msg_code) {
            case JERR_SOF_UNSUPPORTED:  // lossless and hierarchical
            case JERR_BAD_PRECISION:    // 12 bits
            case JERR_ARITH_NOTIMPL:
            case JERR_CONVERSION_NOTIMPL:
                fail("cannot read {}: it is a kind of JPEG image that is not read; convert it to baseline JPEG", name_);
            case JERR_OUT_OF_MEMORY:
                fail("cannot read {}: there is not enough memory for it; scale it down", name_);
            default:
                fail("cannot read {}: the JPEG image is damaged; copy it again or remove it", name_);
        }
    }

    void read_lines(Image& image, std::vector<std::uint8_t>& line) {
        constexpr unsigned at_once = 8;
        while (codec_.output_scanline < codec_.output_height) {
            const int y = static_cast<int>(codec_.output_scanline);
            if (!line.empty()) {
                JSAMPROW row = line.data();
                jpeg_read_scanlines(&codec_, &row, 1);
                cmyk_to_rgb(line.data(), image.row(y), image.width());
                continue;
            }
            JSAMPROW rows[at_once];
            const unsigned count = std::min(at_once, codec_.output_height - codec_.output_scanline);
            for (unsigned i = 0; i < count; ++i) rows[i] = image.row(y + static_cast<int>(i));
            jpeg_read_scanlines(&codec_, rows, count);
        }
    }

    std::string_view name_;
    std::size_t size_;
    ErrorManager errors_{};
    jpeg_source_mgr source_{};
    jpeg_decompress_struct codec_{};
};

}  // namespace

Size read_size(std::span<const std::byte> bytes, std::string_view name) { return Decoder(bytes, name).read_header(); }

Image decode(std::span<const std::byte> bytes, std::string_view name) {
    Decoder decoder(bytes, name);
    require_size(decoder.read_header(), name);
    return decoder.read_image();
}

}  // namespace cambium::libjpeg
