#!/usr/bin/env python3
"""Makes the two font files beside it from the fonts of one npm package. README.md says how to run it."""

import sys

from fontTools.pens.ttGlyphPen import TTGlyphPen
from fontTools.subset import Options, Subsetter
from fontTools.ttLib import TTFont

RANGES = [
    (0x0020, 0x007E),  # Basic Latin
    (0x00A0, 0x017F),  # Latin-1, Latin Extended-A
    (0x01A0, 0x01A1), (0x01AF, 0x01B0),  # o and u with horn
    (0x0218, 0x021B), (0x02BC, 0x02BC),  # Romanian; apostrophe
    (0x0300, 0x030C), (0x0323, 0x0323), (0x0326, 0x0328), (0x031B, 0x031B),  # combining marks; 0x0309 is the hook above
    (0x1E80, 0x1E85), (0x1E9E, 0x1E9E), (0x1EA0, 0x1EF9),  # Welsh, capital sharp s, Vietnamese
    (0x2010, 0x2015), (0x2018, 0x201A), (0x201C, 0x201E), (0x2022, 0x2022), (0x2026, 0x2026),  # punctuation
    (0x20AB, 0x20AB),  # dong
]
BOX = 0x25A1  # drawn for letters that the font lacks; its own .notdef is empty, and a name must not vanish


def rectangle(pen, left, bottom, right, top, clockwise):
    corners = [(left, bottom), (left, top), (right, top), (right, bottom)]
    first, *others = corners if clockwise else corners[::-1]
    pen.moveTo(first)
    for corner in others:
        pen.lineTo(corner)
    pen.closePath()


def make(source, target):
    font = TTFont(source, recalcTimestamp=False)
    em = font["head"].unitsPerEm
    pen = TTGlyphPen(None)
    side, line = round(0.60 * em), round(0.06 * em)
    rectangle(pen, line, 0, side, round(0.70 * em), True)
    rectangle(pen, 2 * line, line, side - line, round(0.70 * em) - line, False)
    font.setGlyphOrder(font.getGlyphOrder() + ["box"])
    font["glyf"]["box"] = pen.glyph()
    font["hmtx"]["box"] = (side + line, line)
    for table in font["cmap"].tables:
        if table.isUnicode():
            table.cmap[BOX] = "box"
    options = Options()
    options.hinting = False
    options.notdef_outline = True
    options.layout_features = ["kern", "mark", "mkmk", "ccmp", "locl"]
    options.name_IDs = [0, 1, 2, 3, 4, 5, 6, 13, 14]
    subsetter = Subsetter(options)
    subsetter.populate(unicodes=[BOX] + [letter for first, last in RANGES for letter in range(first, last + 1)])
    subsetter.subset(font)
    font.save(target)


if __name__ == "__main__":
    package, target = sys.argv[1:]
    make(f"{package}/400Regular/BeVietnamPro_400Regular.ttf", f"{target}/BeVietnamPro-Regular.ttf")
    make(f"{package}/700Bold/BeVietnamPro_700Bold.ttf", f"{target}/BeVietnamPro-Bold.ttf")
