"""Captions and what the official sampler makes of them, for the tests of src/text.

    python3 make_caption_cases.py FILE [COUNT] [SEED]

writes as JSON `captions`, rows of [caption, cleaned once, cleaned twice]: those of the table below,
then COUNT mixtures of fragments; and what steps of it make of other texts, rows of [text, result]:
`html` (Beautiful Soup), `fixed` (ftfy), `bad` (its heuristic), `unescaped` (html.unescape),
`unquoted` (urllib). caption-cases.json is of 300 and seed 1, by Python 3.11, bs4 4.11.2 (Debian 12's
python3-bs4) and ftfy 6.3.1.

The rules are those of LlamaGen's language/t5.py, `T5Embedder.clean_caption`.
"""

import html
import json
import random
import re
import sys
import urllib.parse
import warnings

import ftfy
import ftfy.badness
from bs4 import BeautifulSoup
from ftfy.badness import MOJIBAKE_CATEGORIES

warnings.filterwarnings("ignore")

SITE = r"[a-zA-Z0-9.\-]+[.](?:com|co|ru|net|org|edu|gov|it)[\w/-]*\b\/?(?!@)"
FILES = "png|jpg|jpeg|bmp|webp|eps|pdf|apk|mp4"
BEFORE_HTML = [
    ("<person>", "person"),
    (rf"\b((?:https?:(?:\/{{1,3}}|[a-zA-Z0-9%])|{SITE}))", ""),
    (rf"\b((?:www:(?:\/{{1,3}}|[a-zA-Z0-9%])|{SITE}))", ""),
]
AFTER_HTML = [
    (r"@[\w\d]+\b", ""),
    (r"[\u31c0-\u31ef]+", ""),
    (r"[\u31f0-\u31ff]+", ""),
    (r"[\u3200-\u32ff]+", ""),
    (r"[\u3300-\u33ff]+", ""),
    (r"[\u3400-\u4dbf]+", ""),
    (r"[\u4dc0-\u4dff]+", ""),
    (r"[\u4e00-\u9fff]+", ""),
    (
        r"[\u002D\u058A\u05BE\u1400\u1806\u2010-\u2015\u2E17\u2E1A\u2E3A\u2E3B\u2E40\u301C\u3030\u30A0"
        r"\uFE31\uFE32\uFE58\uFE63\uFF0D]+",
        "-",
    ),
    (r"[`´«»“”¨]", '"'),
    (r"[‘’]", "'"),
    (r"&quot;?", ""),
    (r"&amp", ""),
    (r"\d{1,3}\.\d{1,3}\.\d{1,3}\.\d{1,3}", " "),
    (r"\d:\d\d\s+$", ""),
    (r"\\n", " "),
    (r"#\d{1,3}\b", ""),
    (r"#\d{5,}\b", ""),
    (r"\b\d{6,}\b", ""),
    (rf"[\S]+\.(?:{FILES})", ""),
    (r"[\"\']{2,}", '"'),
    (r"[\.]{2,}", " "),
    (r"[#®•©™&@·º½¾¿¡§~\)\(\]\[\}\{\|\\\/\*]{1,}", " "),
    (r"\s+\.\s+", " "),
]
JOINTS = r"(?:\-|\_)"
AFTER_FTFY = [
    (r"\b[a-zA-Z]{1,3}\d{3,15}\b", ""),
    (r"\b[a-zA-Z]+\d+[a-zA-Z]+\b", ""),
    (r"\b\d+[a-zA-Z]+\d+\b", ""),
    (r"(worldwide\s+)?(free\s+)?shipping", ""),
    (r"(free\s)?download(\sfree)?", ""),
    (r"\bclick\b\s(?:for|on)\s\w+", ""),
    (rf"\b(?:{FILES})(\simage[s]?)?", ""),
    (r"\bpage\s+\d+\b", ""),
    (r"\b\d*[a-zA-Z]+\d+[a-zA-Z]+\d+[a-zA-Z\d]*\b", " "),
    (r"\b\d+\.?\d*[xх×]\d+\.?\d*\b", ""),
    (r"\b\s+\:\s+", r": "),
    (r"(\D[,\./])\b", r"\1 "),
    (r"\s+", " "),
    (r"^[\"\']([\w\W]+)[\"\']$", r"\1"),
    (r"^[\'\_,\-\:;]", r""),
    (r"[\'\_,\-\:\-\+]$", r""),
    (r"^\.\S+$", ""),
]


def apply(rules, text):
    for pattern, replacement in rules:
        text = re.sub(pattern, replacement, text)
    return text


def clean(text):
    text = apply(BEFORE_HTML, urllib.parse.unquote_plus(text).strip().lower())
    text = apply(AFTER_HTML, BeautifulSoup(text, features="html.parser").text)
    if len(re.findall(JOINTS, text)) > 3:
        text = re.sub(JOINTS, " ", text)
    text = html.unescape(html.unescape(ftfy.fix_text(text))).strip()
    return apply(AFTER_FTFY, text).strip()


TABLE = """
A blue Porsche 356 parked in front of a yellow brick wall.
   A Cat And A DOG   
ΟΔΟΣ ΟΔΥΣΣΕΥΣ İstanbul STRASSE ǅ
two+cats%20and%2Ba+dog 100%25 %e2%82%ac %zz %C3 %C3%A9t%C3%A9 %f0%9f%98%80 50% off
a <person> and another <person>
see http://example.org/a?b=c for a cat
see https:///example.org/x, www:abc www.cats.com/pictures/1 cats.co.uk me@cats.org
ftp://files.net/a.b.c-d/e_f cat.it dog.item bücher.com пример.ru/путь
<b>a cat</b> on <i class="x">a mat</i>
<p>one<br>two<br/>three</p><!-- no --><script>var a = '<b>';</script>four<style>p{}</style>
a < b and c > d and <3 and <- and <> and </> and < / b>
a <b unclosed and more
a <b and="c" d='e>f' g=h>i</b
<!doctype html><html>cat</html> <![CDATA[a cat]]> <!x> <?php cat ?> <![if a]>cat<![endif]>
<ruby>cat<rt>ne</rt><rp>(</rp></ruby> <template>dog</template> <textarea>  </textarea> <pre> a </pre>
<a><b>   </b><c> </c></a>.<i></i>
AT&T &amp; R&D &lt;b&gt; &copy; &eacute;t&eacute; &nbsp;x &notit; &notin; &foo; &amp;amp; &amp;lt;b&amp;gt;
&#65;&#x42;&#X43; &#150; &#0; &#55296; &#1114112; &#99999999999; &#12a; &#xyz; &#; a &b
a cat &amp
a cat &
a cat &b
a cat &#
a cat &#65
a cat <
a cat </b
@someone a cat by @some_one and mail me@here @ @@x
一只猫 a cat ㇀㇯ ㇰㇿ ㈀㋿ ㌀㏿ 㐀䶿 ䷀䷿ 鿿 ひらがな カタカナ 한국어
a — b – c ‒ d ― e ‐ f ‑ g ⸺ h 〜 i ﹘ j － k − l -- m
`a` ´b´ «c» “d” ¨e¨ ‘f’ „g‟ ‚h‛ ʼi
&quot;a&quot; &quotb&quot &ampx
at 192.168.0.1 and 1.2.3.4.5 and 999.999.999.9999
at 5:30 
at 15:30   
at 5:30 <br>
‘‘a’’ b
line\\none and line\\ntwo
cat #1 #12 #123 #1234 #12345 #123456 #abc number 12345 123456 1234567
IMG_1234.jpg and photo.png and a/b/c.jpeg x.pdfs .mp4 a.b.webp
\"\"\"SALE\"\"\" ''cat'' '\"dog\"' \"
wait... what.. . a . b . c .
***SALE*** #SALE (a) [b] {c} |d| \\e\\ /f/ g~h i•j ½ ¿k? ¡l! §m ®n©o™p ºq
this-is-my-cute-cat and this_is_my_cute_cat
a-b_c-d
a-b_c
jc6640 jc6640vc 6640vc231 a1 abc12 abc123 abcd123 j2d1a2a a1b2c3 x123456789012345 x1234567890123456
free shipping, worldwide free shipping, worldwide shipping, shipping, freeshipping
free download, download free, download, free  download, downloads
click for details, click on it, click  on it, clickon it, Click For Больше
png image, jpg images, pngs, pdf, a bmp image of a cat, apkpng
page 1, page  22, page x, pages 3, page १२
10x20, 10 x 20, 1.5x2.5, 3×4, 5х6, 7X8, 10x20cm, 9x9x9, ١x٢
a : b, c :d, e: f,  g  :  h
a,b.c/d, 1,2 3.4 5/6 7,a a.b, é,é
'a cat'
"a cat"
"a "b" c"
'"a"'
-a cat-
,a cat,
:a; cat:
_a+ 
+a+b+
.hidden
.hidden cat
a\u001cb\u0085c\u00a0d\u2003e\u3000f\ufeffg\u200bh
a\tb\nc\rd\u000be\u000cf
a\u0000b\u0007c\u001b[31mred\u001b[0m\u007f
ﬁne ﬂower oﬀer ĳ ŉ ǆ ﬆ ﬅ
ＦＵＬＬ　ＷＩＤＴＨ ｶﾀｶﾅ ￣ ﾊﾟ ￡
e\u0301te\u0301 A\u030a \u1112\u1161\u11ab
â€œquotesâ€\u009d and itâ€™s cafÃ© naÃ¯ve
âœ” No problems Ã©tÃ© Ã la carte voilÃ le travail
sÃ³lo piÃ±a schÃ¶n Ãœber Â£5 Â© 50Â°C
Ð¿Ñ€Ð¸Ð²ÐµÑ‚ Ð¼Ð¸Ñ€
ã\u0083\u0084 ä¸\u00ad å›½
рџђ± РїСЂРёРІРµС‚
l’humanitÃ© â€“ dash â€” em â€¦
ÃƒÂ© doubly ÃƒÆ’Ã‚Â©
Ã¢â‚¬Å“tripleÃ¢â‚¬Â\u009d
‚Äúmac‚Äù √© caf√©
lossy â€œ like this â€\ufffd and Ã?
ÄÅ¸ Å›wiÄ™ty Å¾
\u0093windows\u0094 \u0085 \u0080
P&EACUTE;REZ &NTILDE; &HELLIP; &AMP; &LT; &FRAC12;
1 &lt; 2 &amp;amp;lt; 3
line one â€™\nline two <b â€™\nline three &amp;eacute; Ã©
🐱 a cat 👨‍👩‍👧 family 🇩🇪 flag ❤️
नमस्ते बिल्ली สวัสดี قطة חתול
naïve_café-über_straße-x
x² m³ ½ Ⅳ ① 三 ٣ 𝟗 ª
#१२३ १२३४५६ १.२.३.४
a.co a.com/ b.comics c.net@ d.org@e f.edu/g-h_i/ j.gov/k?l=m
person<person>person <PERSON>
user@example.com wrote: "a cat"
'
"
-
.
...
a
""".strip("\n").split("\n")  # fmt: skip
TABLE = ["", " ", "\u3000", *TABLE]

FRAGMENTS = """
cat|dog|a|the|of|and|red|Two|PIZZA|straße|Ünïcode|кошка|γάτα|猫|ねこ|قطة|बिल्ली|é|e\u0301|ß|İ|ſ
<b>|</b>|<br>|<br/>|<p class='x'>|</p>|<|>|</|<!--|-->|<!|<?|<script>|</script>|<![CDATA[|]]>|<a href=http://x.com>|<person>|<img src="a.png"|<pre>|</pre>|<rt>
&amp;|&amp|&lt;|&gt;|&quot;|&nbsp;|&eacute;|&EACUTE;|&copy|&#39;|&#x27;|&#8217;|&#150;|&#|&|&x|&notin|;
http://a.com/b|https://|www.a.org|a.co|b.net/c-d|me@d.edu|@name|@|www:
-|--|—|–|_|__|'|''|"|\"\"|“|”|‘|’|`|´|«|»|¨|„|ʼ
.|..|...| . |,|:|;|!|!!!|?|#|#12|#12345|*|***|(|)|[|]|{|}|/|\\\\|\\\\n|~|+|%|%20|%C3%A9|%C3|%e2%80%99|½|©|®|™|º|§
12|123|1234|123456|1.5|1.2.3.4|5:30|10x20|3×4|5х6|ab123|a1b|1a2|a1b2c3|page|page 3|x|1,2|a,b|٣|१२
.png|a.jpg|photo.jpeg|png|jpg images|pdf|free|shipping|free shipping|worldwide|download|download free|click for|click on it
Ã©|Ã |â€™|â€œ|â€\u009d|Â£|Â|Ð¿Ñ€Ð¸|ã\u0083\u0084|ðŸ˜€|рџђ±|‚Äô|√©|Ãƒ|\u0085|\u0093|\u009d|\ufffd|Å¡|ā€“|β€™|à¤|ÙŠØ|º|¤
ﬁ|ﬆ|ĳ|Ａ|ｶﾞ|\u3000|\u00a0|\u2028|\u200b|\ufeff|\u001b[1m|\u0000|\u0007|\u001c|\n|\r\n|\t|🐱|👩‍👧|❤️|㈱|㌔|一|〜|𝟗|²
"""


def pieces():
    return [p for line in FRAGMENTS.strip("\n").split("\n") for p in line.split("|")] + ["|"]


def mixtures(count, seed):
    draw = random.Random(seed)
    parts = pieces()
    for _ in range(count):
        size = draw.randint(2, 12)
        yield "".join(draw.choice(parts) + draw.choice(["", "", " ", " ", "  "]) for _ in range(size))


LANGUAGES = """
naïve café|schön Übung|señor ¿qué?|Ça va, à la carte|Škoda žluťoučký|Łódź święty|Привет мир|Ελλάδα
“quotes” — it’s…|₤ € 50 °C|日本語 猫|한국어|مرحبا بالعالم|नमस्ते|😀 🐱|İstanbul ığdır|ą č ę|\U00020000|\u00a0|\u0085
"""
ENCODINGS = [
    *["latin-1", "sloppy-windows-1252", "sloppy-windows-1251", "sloppy-windows-1250", "sloppy-windows-1253"],
    *["sloppy-windows-1254", "sloppy-windows-1257", "iso-8859-2", "macroman", "cp437"],
]


def mojibake(draw):
    """A text whose UTF-8 was read as something else, perhaps twice, perhaps with losses."""
    text = draw.choice(LANGUAGES.strip("\n").replace("\n", "|").split("|"))
    encoding = draw.choice(ENCODINGS)
    data = text.encode("utf-8")
    if draw.random() < 0.1:
        # CESU-8: a character of two surrogates, as some programs write them
        data = text.encode("utf-16-le")
        units = [data[i] | data[i + 1] << 8 for i in range(0, len(data), 2)]
        data = "".join(map(chr, units)).encode("utf-8", "surrogatepass")
    for _ in range(draw.choice([1, 1, 1, 2])):
        text = data.decode(encoding, "replace")
        data = text.encode("utf-8")
    change = draw.random()
    if change < 0.15:
        text = text.replace("\u00a0", " ")
    elif change < 0.25:
        text = re.sub("[\x80-\x9f]", "\ufffd", text)
    elif change < 0.3:
        text = re.sub("[\x80-\x9f]", "?", text)
    return text


# One for each kind of unlikely neighbours in ftfy.badness that mixtures seldom have.
SIGNS = """
aЖ¤ x|¤é|¤│| Å€|é«²|é»¿|│Ò|é│|│»|œ!|Œ,|×²|à²|à¾|√±|√†|≈°|≈¢|‚Äì|‚Äô|‚âà|‚óè|вЂ|ГўВЂВ.a|ГўВЂВx |Ã\u00a0|Ã¡
é‘±|”‘±|»«÷|aÃ |a Ã b|Ã b|a Â b|.Â »|!Â ¿|ΒªΓ|Ξ°Ο|ā€|β€™|β€\u00a0|В°Г|РєР|ØªÙŠØ©|Øªx|ÂºØ|┤Ö|╬»|│€|»€|éÀ|αÀ|²À|│à|£à|₧à|À²|À§|│¶|aÀ‘|aÀ£|£‘|²¿|é‘a|É‹б|À°|Ð€|Îš
œa|Œz|œ|×4|à4|√4|≈4|‚Äz|‚z|вz|ГўВЂz.a|Ãz|Â|aÂb|БªГ|ΒzΓ|āz|β€z|Øz|‘é|é a|€ é|naïve|El Niño|50 °C|½ cup|«cat»|“cat”|¿qué?|Ñandú
"""


def signs(count, seed):
    """Neighbours from the classes of ftfy's heuristic, one by one."""
    yield from SIGNS.strip("\n").replace("\n", "|").split("|")
    draw = random.Random(seed)
    classes = list(MOJIBAKE_CATEGORIES.values())
    members = [re.findall(f"[{part}]", "".join(map(chr, range(0x80, 0x2700))) + "\uf8ff\ufb01\ufb02\ufffd") for part in classes]
    for _ in range(count):
        letters = [draw.choice(draw.choice(members)) for _ in range(draw.randint(2, 3))]
        yield draw.choice(["", "", "a", "A", " ", "a ", "."]) + "".join(letters) + draw.choice(["", "", "b", " "])


def losses():
    """UTF-8 of two, three, four and (as CESU-8) six bytes with one or two bytes lost or made blanks."""
    for text in ["é", "à", "Š", "П", "٠", "’", "ल", "あ", "日", "😀", "\U000e0041"]:
        forms = [text.encode("utf-8")]
        if ord(text) > 0xFFFF:
            units = text.encode("utf-16-be")
            pair = "".join(chr(units[i] << 8 | units[i + 1]) for i in (0, 2))
            forms.append(pair.encode("utf-8", "surrogatepass"))
        for data in forms:
            read = data.decode("sloppy-windows-1252")
            for at in range(1, len(read)):
                for by in [" ", "\ufffd", "?"]:
                    lost = read[:at] + by + read[at + 1 :]
                    yield f"Ã© {lost}x"
                    yield f"Ã© {lost[:-1]}\ufffdx"


def damaged(count, seed):
    """Mojibake, by itself and within other texts and on several lines."""
    draw = random.Random(seed)
    parts = pieces()
    for _ in range(count):
        words = [mojibake(draw) if draw.random() < 0.6 else draw.choice(parts) for _ in range(draw.randint(1, 5))]
        yield draw.choice(["", " ", " ", "\n"]).join(words)


ENTITIES = sorted(html.entities.html5)


def references(count, seed):
    """Names of HTML's characters with letters missing or too many, and numbers."""
    draw = random.Random(seed)
    for _ in range(count):
        name = draw.choice(ENTITIES)
        kind = draw.random()
        if kind < 0.3:
            name = name[: draw.randint(1, len(name))]
        elif kind < 0.5:
            name = name[:-1] + draw.choice(["x", "1;", "=", "&", ";", "", "é"])
        elif kind < 0.6:
            name = name.upper()
        elif kind < 0.8:
            number = draw.choice([draw.randrange(0x180), draw.randrange(0x120000), 0xFDD0, 0x1FFFE])
            name = draw.choice([f"#{number}", f"#x{number:x}", f"#X{number:X}"]) + draw.choice([";", "", "g", "é"])
        yield f"a&{name} &{draw.choice(ENTITIES)}"


def escapes(count, seed):
    """Percent signs before bytes that are UTF-8, or none."""
    draw = random.Random(seed)
    parts = ["%41", "%c3%A9", "%C3", "%e2%82%ac", "%e2%82", "%F0%9f%98%80", "%ff", "%zz", "%", "%4", "+", "a", "é", "%80"]
    for _ in range(count):
        yield "".join(draw.choice(parts) for _ in range(draw.randint(1, 8)))


def rows(texts, *functions):
    for text in texts:
        row = [text]
        try:
            for function in functions:
                row.append(function(row[-1]))
        except AssertionError:
            # Python 3.11's html.parser fails on some "<![", and so does the sampler.
            continue
        yield row


def soup(text):
    return BeautifulSoup(text, features="html.parser").text


def main(path, count=300, seed=1):
    count, seed = int(count), int(seed)
    half = count // 2
    every = "".join(f"&{name} " for name in ENTITIES)
    cases = {
        "captions": rows([*TABLE, *mixtures(count, seed)], clean, clean),
        "html": rows(mixtures(half, seed + 1), soup),
        "fixed": rows([*losses(), *damaged(half, seed + 2), *mixtures(half, seed + 5), *references(half // 10, seed + 6)], ftfy.fix_text),
        "bad": rows(signs(half, seed + 7), lambda text: str(ftfy.badness.is_bad(text))),
        "unescaped": rows([every, *references(half, seed + 3)], html.unescape),
        "unquoted": rows(escapes(half // 4, seed + 4), urllib.parse.unquote_plus),
    }
    parts = []
    for name, found in cases.items():
        lines = ",\n".join(json.dumps(row, separators=(",", ":")) for row in found)
        parts.append(f'"{name}": [\n{lines}\n]')
    with open(path, "w") as file:
        file.write("{" + ",\n".join(parts) + "}\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
