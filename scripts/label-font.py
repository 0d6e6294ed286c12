"""Makes src/picture/label-font.ts: the outlines of the letters that labels are written with.

    npm pack @fontsource/roboto-condensed@5.3.0 && tar xzf fontsource-roboto-condensed-5.3.0.tgz
    pip install fonttools brotli
    python scripts/label-font.py package/files src/picture/label-font.ts

Coordinates are rounded to 1/192 em, so that each is a byte, and hints and kerning are dropped.
"""
import base64
import sys
import textwrap

from fontTools.ttLib import TTFont

EM, LEFT, BELOW = 192, 32, 56  # a coordinate is stored with LEFT or BELOW added
ACCENTS = "`´ˆ˜¯¨˚˝ˇ¸"
OTHERS = "ÆæŒœØøÐðÞþßŁłĐđı¡¿£§©®°±²³µ·¹º»«¼½¾×÷–—‘’‚“”„…€"
CHARACTERS = "".join(map(chr, range(32, 127))) + ACCENTS + OTHERS

HEAD = '''/**
 * The letters that labels are written with: outlines of Roboto Condensed 400 (SIL Open Font Licence
 * 1.1, see THIRD_PARTY_NOTICES.md), made by `scripts/label-font.py`.
 */

/** Units of an em, and what is added to coordinates so that none is negative. */
export const EM = %d;
export const ORIGIN = { x: %d, y: %d } as const;

/**
 * Base64 of bytes. For each glyph: code point (2, high byte first), advance, contours. For each
 * contour: points, then one byte for every eight points whose bits, lowest first, tell which are on
 * the curve, then x and y of each point. Curves are quadratic, as in TrueType: halfway between two
 * points off the curve is one on it.
 */
export const GLYPHS: string = `
'''


def glyph_bytes(font, name, code):
    table, scale = font["glyf"], EM / font["head"].unitsPerEm
    coordinates, ends, flags = table[name].getCoordinates(table)
    advance = round(font["hmtx"][name][0] * scale)
    out = bytearray([code >> 8, code & 255, advance, len(ends)])
    start = 0
    for end in ends:
        points = list(zip(coordinates[start : end + 1], flags[start : end + 1]))
        bits = bytearray((len(points) + 7) // 8)
        for i, (_, flag) in enumerate(points):
            bits[i // 8] |= (flag & 1) << i % 8
        out += bytes([len(points)]) + bits
        for (x, y), _ in points:
            out += bytes([round(x * scale) + LEFT, round(y * scale) + BELOW])
        start = end + 1
    return out


def main(folder, target):
    fonts = [TTFont(f"{folder}/roboto-condensed-{part}-400-normal.woff2") for part in ("latin", "latin-ext")]
    out = bytearray()
    for code in sorted(map(ord, CHARACTERS)):
        font = next((font for font in fonts if code in font.getBestCmap()), None)
        if font is None:
            sys.exit(f"no glyph for U+{code:04X}")
        out += glyph_bytes(font, font.getBestCmap()[code], code)
    lines = textwrap.wrap(base64.b64encode(out).decode(), 92)
    with open(target, "w") as file:
        file.write(HEAD % (EM, LEFT, BELOW) + "\n".join(lines) + "\n`;\n")
    print(f"{len(CHARACTERS)} glyphs, {len(out)} bytes")


main(*sys.argv[1:])
