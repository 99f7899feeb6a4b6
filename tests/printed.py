"""What a printed page shows, character by character: for tests of documents."""

import ctypes

import pypdfium2.raw as pdfium


def is_chinese(character):
    return "\u4e00" <= character < "\ua000"


def shapes_of(page, words, wanted=is_chinese):
    """What each wanted character looks like at 16 × 16 points, in black and white.

    The first drawing that is dark enough counts: a faint water mark comes before the text.
    """
    scale = 3
    bitmap = page.render(scale=scale, grayscale=True)
    pixels, stride, height = bytes(bitmap.buffer), bitmap.stride, page.get_height()
    shapes = {}
    for number in range(words.count_chars()):
        character = chr(pdfium.FPDFText_GetUnicode(words.raw, number))
        if not wanted(character) or any(shapes.get(character, ())):
            continue
        box = [ctypes.c_double() for _ in range(4)]
        pdfium.FPDFText_GetCharBox(words.raw, number, *box)
        left, right, bottom, top = (value.value for value in box)
        across = [int((left + (right - left) * (step + 0.5) / 16) * scale) for step in range(16)]
        down = [int((height - top + (top - bottom) * (step + 0.5) / 16) * scale) for step in range(16)]
        shapes[character] = tuple(pixels[y * stride + x] < 160 for y in down for x in across)
    bitmap.close()
    return shapes
