"""Who the simulated creators are, in words: names, bios, what they film, and the titles that break things."""

from typing import NamedTuple


class Part(NamedTuple):
    """A demo creator: what a person at a screen will read."""

    name: str
    display_name: str
    bio: str
    verified: bool
    followers: int
    videos: int
    subjects: tuple[str, ...]


DEMO = (
    Part("ada", "Ada Okafor", "Computers, explained by hand.", True, 1_284_000, 64,
         ("the first compiler", "binary search", "floating point", "hash tables", "a CPU cache", "recursion")),
    Part("noor", "Noor Haddad", "Home cooking from Amman to Oslo 🌿", True, 842_300, 87,
         ("maqluba", "crispy falafel", "labneh at home", "knafeh", "a weeknight mansaf", "pickled turnips")),
    Part("kenji", "Kenji Mori", "Tokyo by night train.", False, 318_900, 45,
         ("the last Yamanote train", "ekiben", "a 4-seat ramen bar", "capsule hotels", "Shimokitazawa", "sento")),
    Part("maya", "Maya Lindqvist", "Runner. Physio. Slow on Mondays.", True, 2_061_500, 112,
         ("the first 5k", "hill repeats", "shin splints", "easy runs", "race-day breakfast", "calf raises")),
    Part("luca", "Luca Ferrari", "Restoring one Vespa at a time.", False, 96_400, 38,
         ("a seized engine", "carburettors", "brake drums", "the wiring loom", "rust removal", "a kick start")),
    Part("zola", "Zola Dlamini", "Beats, basslines and Johannesburg.", True, 3_407_000, 98,
         ("log drums", "a one-take mix", "side-chain compression", "vocal chops", "swing", "a cheap microphone")),
    Part("ines", "Inês Carvalho", "Tiles, paint and old Lisbon houses.", False, 154_200, 52,
         ("azulejo repair", "lime plaster", "a narrow kitchen", "sash windows", "cork floors", "colour wheels")),
    Part("omar", "Omar Rahman", "Maths teacher. Yes, it is on the test.", True, 671_800, 76,
         ("fractions", "prime numbers", "the quadratic formula", "Pascal's triangle", "infinity", "averages")),
    Part("freya", "Freya Nilsen", "Sheep, wool, weather. North of 69°.", False, 227_600, 33,
         ("lambing season", "hand spinning", "a knitted sweater", "polar night", "natural dyes", "storm fences")),
    Part("diego", "Diego Álvarez", "Street food, one stall a week.", True, 1_905_300, 120,
         ("tacos al pastor", "arepas", "anticuchos", "tlayudas", "churros", "a plancha")),
    Part("yuki", "Yuki Tan", "Tiny plants in tiny pots.", False, 58_100, 27,
         ("moss", "a bonsai wire", "repotting", "fungus gnats", "a terrarium", "leaf cuttings")),
    Part("tess", "Tess O'Brien", "Books before bed 📚", False, 412_700, 59,
         ("long novels", "a reading slump", "poetry", "library cards", "translated fiction", "margins")),
)  # fmt: skip

TITLES = (
    "{0}, explained in one minute",
    "What nobody tells you about {0}",
    "Three mistakes with {0}",
    "I tried {0} for a week",
    "In praise of {0}",
    "Your questions about {0}, answered",
    "A closer look at {0}",
    "The honest version: {0}",
)

SUBJECTS = (
    "morning light",
    "small habits",
    "old maps",
    "city walks",
    "good tools",
    "quiet work",
    "a long weekend",
)

# What real titles do to programs that did not expect them (TikTok's video object: a title is at most 150 characters).
STRANGE_TITLES = (
    "",
    "🎉🔥 launch day 👩‍👩‍👧‍👦 🏳️‍🌈 🇯🇵",
    "طريقة عمل المقلوبة في البيت",
    "שלום עולם — סרטון ראשון",
    "She said \"no\", he said 'yes'",
    "C:\\new\\table \\u0041 \\",
    "<script>alert('title')</script> & <b>bold</b>",
    "first line\nsecond line\ttabbed",
    "{0} %s ${HOME} {{template}} #{x}",
    "Z̷a̸l̵g̶o̴ é ≠ é, ﬁ ligature",
    "right \u202eto left\u202c override",
    "'; DROP TABLE videos; --",
    " spaces around ",
    "🧪" * 150,
    "null",
    "日本語のタイトル・長い午後",
)

STRANGE_BIO = 'طاهية 🌙 "quotes" \\ back\\slash\nשורה שנייה <i>not html</i>'

FIRST_NAMES = (
    "ada", "ben", "chloe", "dan", "elif", "finn", "gita", "hugo", "iris", "jonas", "kira", "leo", "mina", "nils",
    "olga", "pia", "quinn", "rosa", "sami", "tara", "uma", "vera", "wen", "xenia", "yara", "zane", "anouk", "bela",
    "cyrus", "dora", "emil", "fatou", "goran",
)  # fmt: skip
