"""Makes tests/golden/images with Pillow and torchvision: small image files of every kind we read, and the digests of what
Pillow makes of them, of resizes, of torchvision's transforms, and the values of torchvision's colour operations.

    python tests/oracle/images_make.py            # writes the files
    python tests/oracle/images_make.py --check    # makes them again elsewhere and compares with the committed ones

The photos of photos.txt come from CAMBIUM_DATA, else ../shared/data; without them that file is left as it is. A digest is
the first 16 hexadecimal digits of the SHA-256 of the RGB bytes.
"""

import argparse
import filecmp
import hashlib
import io
import os
import pathlib
import random
import struct
import sys
import tempfile
import warnings

import numpy as np
import PIL
import torch
import torchvision
from PIL import Image, ImageOps
from PIL.PngImagePlugin import PngInfo
from torchvision.transforms import InterpolationMode, RandomResizedCrop
from torchvision.transforms import functional as F
from torchvision.transforms import v2

from hash_fill import hash_bits

ROOT = pathlib.Path(__file__).resolve().parents[2]
GOLDEN = ROOT / "tests" / "golden" / "images"
DATA = pathlib.Path(os.environ.get("CAMBIUM_DATA", ROOT.parent / "shared" / "data"))
FILTERS = {"bilinear": (Image.BILINEAR, InterpolationMode.BILINEAR), "bicubic": (Image.BICUBIC, InterpolationMode.BICUBIC)}
VERSIONS = f"# Pillow {PIL.__version__}, torchvision {torchvision.__version__}"
ROUNDING = """\
# Resize(n): short side n, long side int(n * long / short). CenterCrop(n): offset int(round((size - n) / 2.0)), Python's
# round (half to even); smaller images first get zeros, (n - size) // 2 on the left or top, the rest on the other side."""


def noise(seed, width, height, channels=3):
    """Bytes of a hash: the C++ tests make the same image from the same seed."""
    values = (hash_bits(seed, width * height * channels) & np.uint32(255)).astype(np.uint8)
    return values.reshape((height, width, channels) if channels > 1 else (height, width))


def scene(width, height):
    """A smooth picture with edges, so that JPEG's chroma upsampling and DCT have something to do."""
    y, x = np.mgrid[0:height, 0:width].astype(np.float64)
    r = 255 * x / max(width - 1, 1)
    g = 255 * y / max(height - 1, 1)
    b = 127.5 + 127.5 * np.sin(x / 3.0) * np.cos(y / 4.0)
    rgb = np.stack([r, g, b], -1)
    rgb[height // 3 : height // 2, width // 4 : width // 2] = (250, 20, 30)
    rgb[(x - width * 0.7) ** 2 + (y - height * 0.6) ** 2 < (height / 5) ** 2] = (10, 60, 240)
    return Image.fromarray(rgb.round().astype(np.uint8))


def digest(image):
    return hashlib.sha256(np.ascontiguousarray(np.asarray(image)).tobytes()).hexdigest()[:16]


def pillow_rgb(data):
    image = Image.open(io.BytesIO(data))
    return ImageOps.exif_transpose(image).convert("RGB")


def save(image, format, **options):
    stream = io.BytesIO()
    image.save(stream, format, **options)
    return stream.getvalue()


def exif(orientation, big_endian, type_long=False):
    """A TIFF file with one tag, by hand, so that both byte orders and both integer types occur."""
    e = ">" if big_endian else "<"
    head = b"MM\0*" if big_endian else b"II*\0"
    value = struct.pack(e + "I", orientation) if type_long else struct.pack(e + "HH", orientation, 0)
    tiff = head + struct.pack(e + "IHHHI", 8, 1, 0x0112, 4 if type_long else 3, 1) + value + struct.pack(e + "I", 0)
    return b"Exif\0\0" + tiff


def segment(marker, payload):
    return struct.pack(">BBH", 0xFF, marker, len(payload) + 2) + payload


def without_segment(data, marker):
    at = 2
    while data[at + 1] != 0xDA:
        length = struct.unpack(">H", data[at + 2 : at + 4])[0] + 2
        if data[at + 1] == marker:
            return data[:at] + data[at + length :]
        at += length
    raise ValueError("no such segment")


def jpegs():
    picture = scene(61, 45)
    yield "baseline_420.jpg", save(picture, "JPEG", quality=85)
    yield "baseline_422.jpg", save(picture, "JPEG", quality=85, subsampling=1)
    yield "baseline_444.jpg", save(picture, "JPEG", quality=92, subsampling=0)
    yield "progressive_420.jpg", save(picture, "JPEG", quality=80, progressive=True)
    yield "progressive_444.jpg", save(picture, "JPEG", quality=95, subsampling=0, progressive=True)
    yield "low_quality.jpg", save(picture, "JPEG", quality=5)
    yield "restart.jpg", save(picture, "JPEG", quality=75, restart_marker_blocks=3)
    yield "optimised.jpg", save(picture, "JPEG", quality=75, optimize=True)
    yield "grey.jpg", save(picture.convert("L"), "JPEG", quality=85)
    yield "grey_progressive.jpg", save(picture.convert("L"), "JPEG", quality=85, progressive=True)
    yield "rgb.jpg", save(picture, "JPEG", quality=90, keep_rgb=True)
    yield "one_pixel.jpg", save(picture.crop((0, 0, 1, 1)), "JPEG")
    yield "narrow.jpg", save(picture.crop((0, 0, 3, 45)), "JPEG")
    cmyk = Image.fromarray(np.concatenate([np.asarray(picture), noise(5, 61, 45, 1)[..., None] // 4], -1), "CMYK")
    plain = save(cmyk, "JPEG", quality=90)
    yield "cmyk.jpg", plain
    yield "cmyk_progressive.jpg", save(cmyk, "JPEG", quality=90, progressive=True)
    yield "cmyk_without_adobe.jpg", without_segment(plain, 0xEE)
    adobe = plain.index(b"Adobe")
    yield "ycck.jpg", plain[: adobe + 11] + b"\x02" + plain[adobe + 12 :]  # the transform flag: CMYK becomes YCCK
    subsampled = save(cmyk, "JPEG", quality=90, subsampling=2)
    adobe = subsampled.index(b"Adobe")
    yield "ycck_420.jpg", subsampled[: adobe + 11] + b"\x02" + subsampled[adobe + 12 :]
    small = save(scene(23, 17), "JPEG", quality=85)
    for orientation in range(0, 10):
        for big_endian in (False, True):
            name = f"exif_{orientation}_{'big' if big_endian else 'little'}.jpg"
            note = exif(orientation, big_endian, type_long=orientation % 2 == 1)
            yield name, small[:2] + segment(0xE1, note) + small[2:]
    xmp = b'http://ns.adobe.com/xap/1.0/\0<x:xmpmeta><rdf:Description tiff:Orientation="6"/></x:xmpmeta>'
    yield "xmp_6.jpg", small[:2] + segment(0xE1, xmp) + small[2:]


def others():
    picture = scene(31, 22)
    grey = picture.convert("L")
    palette = picture.quantize(20)
    alpha = Image.fromarray(noise(9, 31, 22, 1))
    rgba = picture.copy()
    rgba.putalpha(alpha)
    yield "rgb.png", save(picture, "PNG")
    yield "rgba.png", save(rgba, "PNG")
    yield "grey.png", save(grey, "PNG")
    yield "grey_alpha.png", save(Image.merge("LA", (grey, alpha)), "PNG")
    yield "one_bit.png", save(grey.convert("1"), "PNG")
    yield "palette.png", save(palette, "PNG")
    yield "palette_4_bits.png", save(picture.quantize(11), "PNG", bits=4)
    yield "palette_transparent.png", save(palette, "PNG", transparency=3)
    yield "rgb_transparent.png", save(picture, "PNG", transparency=(250, 20, 30))
    yield "orientation_8.png", save(picture, "PNG", exif=exif(8, True)[6:])
    info = PngInfo()
    info.add_itxt("XML:com.adobe.xmp", "<tiff:Orientation>5</tiff:Orientation>")
    yield "xmp_5.png", save(picture, "PNG", pnginfo=info)
    yield "rgb.bmp", save(picture, "BMP")
    yield "grey.bmp", save(grey, "BMP")
    yield "palette.bmp", save(palette, "BMP")
    yield "one_bit.bmp", save(grey.convert("1"), "BMP")
    yield "rgba.bmp", save(rgba, "BMP")
    yield "palette.gif", save(palette, "GIF")
    yield "grey.gif", save(grey, "GIF")
    yield "animated.gif", save(palette, "GIF", save_all=True, append_images=[palette.transpose(0)], duration=50)
    yield "rgb.ppm", save(picture, "PPM")
    yield "grey.pgm", save(grey, "PPM")


def foreign():
    """Formats that are named and refused."""
    picture = scene(31, 22)
    yield "photo.webp", save(picture, "WEBP")
    yield "photo.avif", save(picture, "AVIF")
    yield "photo.tiff", save(picture, "TIFF")
    yield "photo.jp2", save(picture, "JPEG2000")


def write_lines(path, comment, lines):
    path.write_text("\n".join([VERSIONS, *comment, *lines]) + "\n")


def make_files(out):
    """files/, decode.txt: what Pillow decodes; truncated.txt: what it makes of files that are cut off."""
    (out / "files").mkdir(parents=True, exist_ok=True)
    decoded, cut = [], []
    for name, data in [*jpegs(), *others()]:
        (out / "files" / name).write_bytes(data)
        image = pillow_rgb(data)
        decoded.append(f"{name} {image.width} {image.height} {digest(image)}")
        if name.startswith("exif_"):
            continue
        for length in sorted({2, 20, len(data) // 4, len(data) // 2, len(data) * 9 // 10, len(data) - 2, len(data) - 1}):
            try:
                result = digest(pillow_rgb(data[:length]))
            except Exception:
                result = "refused"
            cut.append(f"{name} {length} {result}")
    for name, data in foreign():
        (out / "files" / name).write_bytes(data)
    write_lines(out / "decode.txt", ["# file width height digest: ImageOps.exif_transpose, then convert('RGB')"], decoded)
    write_lines(out / "truncated.txt", ["# file length digest: the first `length` bytes of the file; or `refused`"], cut)


def make_resizes(out):
    """Noise of random sizes, up and down, through Pillow's resize and torchvision's transforms on PIL images."""
    rng = random.Random(20)
    lines = []
    for seed in range(1, 201):
        side = lambda: rng.choice([rng.randint(1, 9), rng.randint(10, 80), rng.randint(81, 200)])
        width, height, to_width, to_height = side(), side(), side(), side()
        if seed % 10 == 0:
            to_width = width  # one axis unchanged
        if seed % 10 == 5:
            to_height = height
        name = list(FILTERS)[seed % 2]
        result = Image.fromarray(noise(seed, width, height)).resize((to_width, to_height), FILTERS[name][0])
        lines.append(f"resize {seed} {width} {height} {to_width} {to_height} {name} {digest(result)}")
    for seed in range(1001, 1101):
        width, height = rng.randint(1, 150), rng.randint(1, 150)
        resize, crop = rng.randint(1, 120), rng.randint(1, 140)
        name = list(FILTERS)[seed % 2]
        image = Image.fromarray(noise(seed, width, height))
        resized = F.resize(image, resize, FILTERS[name][1])
        result = F.center_crop(resized, [crop, crop])
        lines.append(f"evaluate {seed} {width} {height} {resize} {crop} {name} {resized.width} {resized.height} {digest(result)}")
    for seed in range(2001, 2051):
        width, height = rng.randint(5, 150), rng.randint(5, 150)
        left, top = rng.randrange(width), rng.randrange(height)
        box = (left, top, rng.randint(1, width - left), rng.randint(1, height - top))
        side, name = rng.randint(1, 120), list(FILTERS)[seed % 2]
        image = Image.fromarray(noise(seed, width, height))
        result = F.resized_crop(image, box[1], box[0], box[3], box[2], [side, side], FILTERS[name][1])
        lines.append(f"crop {seed} {width} {height} {' '.join(map(str, box))} {side} {name} {digest(result)}")
    comment = [
        ROUNDING,
        "# resize seed width height to_width to_height filter digest",
        "# evaluate seed width height resize crop filter resized_width resized_height digest",
        "# crop seed width height left top box_width box_height side filter digest",
    ]
    write_lines(out / "resize.txt", comment, lines)


def make_photos(out):
    """Real photos: decoded, resized to random sizes up and down, and prepared for evaluation."""
    images = DATA / "images"
    if not images.is_dir():
        print(f"no {images}: photos.txt stays as it is", file=sys.stderr)
        return False
    folders = [("imagenet_sample200", 30), ("hymenoptera_data", 20), ("imagenette160_sub", 10)]
    rng = random.Random(21)
    lines = []
    for folder, count in folders:
        paths = sorted(p for p in (images / folder).rglob("*") if p.suffix.lower() in (".jpg", ".jpeg"))
        for path in rng.sample(paths, count):
            image = pillow_rgb(path.read_bytes())
            name = path.relative_to(images).as_posix().replace(" ", "%20")
            lines.append(f"decode {name} {image.width} {image.height} {digest(image)}")
            for i in range(4):
                size, filter = (rng.randint(1, 700), rng.randint(1, 700)), list(FILTERS)[i % 2]
                lines.append(f"resize {name} {size[0]} {size[1]} {filter} {digest(image.resize(size, FILTERS[filter][0]))}")
            for filter, resize, crop in (("bilinear", 256, 224), ("bicubic", 232, 224), ("bilinear", 129, 128)):
                result = F.center_crop(F.resize(image, resize, FILTERS[filter][1]), [crop, crop])
                lines.append(f"evaluate {name} {resize} {crop} {filter} {digest(result)}")
    comment = [
        ROUNDING,
        "# photo: below images/ of the data, %20 for a space",
        "# decode photo width height digest",
        "# resize photo width height filter digest",
        "# evaluate photo resize crop filter digest",
    ]
    write_lines(out / "photos.txt", comment, lines)
    return True


def float_image(seed, width=7, height=5):
    return torch.from_numpy(noise(seed, width, height)).permute(2, 0, 1).to(torch.float32) / 255


def values(image):
    """[C, H, W] as numbers in the order of [H, W, C], exact in f32."""
    return " ".join(f"{value:.9g}" for value in image.permute(1, 2, 0).contiguous().flatten().tolist())


def crop_distribution(width, height, draws):
    """Means of a random resized crop's share of the area and of log(width / height), and their standard deviations."""
    torch.manual_seed(0)
    image = torch.empty(3, height, width)
    boxes = [RandomResizedCrop.get_params(image, (0.08, 1.0), (3 / 4, 4 / 3)) for _ in range(draws)]
    area = np.array([h * w / (height * width) for _, _, h, w in boxes])
    ratio = np.array([np.log(w / h) for _, _, h, w in boxes])
    return f"crops {width} {height} {area.mean():.4f} {area.std():.4f} {ratio.mean():.4f} {ratio.std():.4f}"


def make_augmentations(out):
    """torchvision on float tensors with given parameters; every image is 7 x 5 noise."""
    lines = []
    steps = [F.adjust_brightness, F.adjust_contrast, F.adjust_saturation, F.adjust_hue]
    for seed, factor in enumerate((0.0, 0.3, 0.7, 1.0, 1.4, 2.5), 1):
        for step in steps[:3]:
            lines.append(f"{step.__name__} {seed} {factor} {values(step(float_image(seed), factor))}")
    for seed, shift in enumerate((-0.5, -0.31, -0.1, 0.0, 0.05, 0.25, 0.5), 11):
        lines.append(f"adjust_hue {seed} {shift} {values(F.adjust_hue(float_image(seed), shift))}")
    for seed, order in enumerate(((0, 1, 2, 3), (3, 2, 1, 0), (2, 0, 3, 1), (1, 3, 0, 2)), 21):
        factors = (0.8 + 0.1 * (seed - 21), 1.3, 0.6, 0.1 * (seed - 22))
        image = float_image(seed)
        for step in order:
            image = steps[step](image, factors[step])
        lines.append(f"jitter {seed} {' '.join(map(str, order))} {' '.join(f'{f:.9g}' for f in factors)} {values(image)}")
    lines.append(f"hflip 31 {values(F.hflip(float_image(31)))}")
    fill = torch.tensor([0.485, 0.456, 0.406])[:, None, None]
    lines.append(f"erase 32 1 2 3 4 {values(F.erase(float_image(32), 1, 2, 3, 4, fill))}")
    batch = torch.stack([float_image(seed) for seed in (41, 42, 43)])
    labels = torch.tensor([0, 2, 1])
    for weight in (0.0, 0.25, 0.9):
        mixup = v2.MixUp(num_classes=3)
        mixup.make_params = lambda inputs: {"lam": weight}
        images, targets = mixup(batch, labels)
        lines.extend(f"mixup {row} {weight} {values(images[row])} {values(targets[row][:, None, None])}" for row in range(3))
    for left, top, right, bottom in ((0, 0, 3, 2), (2, 1, 7, 5), (3, 3, 3, 3)):
        cutmix = v2.CutMix(num_classes=3)
        share = 1.0 - (right - left) * (bottom - top) / (7 * 5)
        cutmix.make_params = lambda inputs: {"box": (left, top, right, bottom), "lam_adjusted": share}
        images, targets = cutmix(batch, labels)
        box = f"{left} {top} {right - left} {bottom - top}"
        lines.extend(f"cutmix {row} {box} {values(images[row])} {values(targets[row][:, None, None])}" for row in range(3))
    lines.append(crop_distribution(500, 375, 60000))
    comment = [
        "# adjust_* seed factor values; jitter seed order[4] factors[4] values; hflip seed values",
        "# erase seed top left height width values, filled with 0.485 0.456 0.406",
        "# mixup row weight values targets; cutmix row left top width height values targets:",
        "#   row of the batch of seeds 41 42 43 with labels 0 2 1 of 3 classes, mixed with the row before it",
        "# crops width height, then mean and standard deviation of the crop's share of the area and of log(width / height)",
    ]
    write_lines(out / "augment.txt", comment, lines)


def make(out):
    warnings.simplefilter("ignore")
    make_files(out)
    make_resizes(out)
    make_augmentations(out)
    return make_photos(out)


def differences(made, committed):
    names = {p.relative_to(made) for p in made.rglob("*") if p.is_file()}
    return sorted(str(n) for n in names if not (committed / n).exists() or not filecmp.cmp(made / n, committed / n, False))


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="compare with the committed files and write nothing")
    if not parser.parse_args().check:
        make(GOLDEN)
        return
    with tempfile.TemporaryDirectory() as directory:
        make(pathlib.Path(directory))
        wrong = differences(pathlib.Path(directory), GOLDEN)
    if wrong:
        sys.exit("these golden files are not what this Pillow and torchvision make: " + ", ".join(wrong))
    print("all golden files are made again, byte by byte")


if __name__ == "__main__":
    main()
