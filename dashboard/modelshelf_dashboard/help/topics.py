"""The help topics. A control names its topic by `data-help`; a test checks that every name exists."""

from dataclasses import dataclass
from typing import Any

from modelshelf_dashboard.texts import N_, _


@dataclass(frozen=True, slots=True)
class Topic:
    """A topic: its key, its heading, and the explanation in a few plain sentences."""

    key: str
    title: str
    text: str


TOPICS = (
    Topic(
        "modelLibrary",
        N_("Model Library"),
        N_(
            "Everything that can be had from your sources, and everything that is on this machine. Type a name, look "
            "at the fit, download. A row opens to tell more: where the memory would go, which file is best here."
        ),
    ),
    Topic(
        "searchFiltering",
        N_("Search and filters"),
        N_(
            "Bare words are looked for in names. A key with a value is a filter: format:gguf, size:<8GB, "
            "params:3B..9B, license:commercial, ctx:>=32k, author:qwen, is:fits; a minus in front turns it round.\n"
            "The filters at the left do the same and say how many models each would leave. All of it stands in the "
            "address: send it to a colleague and they see the same."
        ),
    ),
    Topic(
        "modelList",
        N_("The list of all models"),
        N_(
            "Modelshelf keeps a list of all models that your sources have, so that it answers with every key, without "
            "a network. It is made once, in the background, and brought up to date by itself; until it is there, "
            "sources are asked as you type.\n"
            "Results come in pages: the arrow keys go on from the last row to the next page. On a row, d downloads."
        ),
    ),
    Topic(
        "keptSearches",
        N_("Collections and kept searches"),
        N_(
            "Collections are models for this machine, your favourites, those you looked at last, and new ones. A "
            "search that you keep stands here under its name and says how many models are new since you last looked: "
            "press that number to see them alone. Nobody else sees what you keep."
        ),
    ),
    Topic(
        "elsewhere",
        N_("Elsewhere on this machine"),
        N_(
            "What Ollama, LM Studio, llama.cpp, Jan, GPT4All, ModelScope and your own folders keep here. Adopt makes a "
            "model part of the library by a link: verified and scanned as a download is, without a copy, and nothing "
            "is moved or changed where it is.\n"
            "Files of the same size are compared in the background, slowly, and not while downloads run. What lies "
            "twice can be given back: both files are read once more, then one becomes another name for the same bytes. "
            "“Make separate” takes that back."
        ),
    ),
    Topic(
        "compatibilityScore",
        N_("Fit"),
        N_(
            "A figure from 0 to 100 for this machine and the built-in engine: room in memory, speed, how much the "
            "quantisation keeps, the context. 0 means that it cannot run here, and the drawer says why.\n"
            "In a list it is estimated from sizes; in the drawer it is computed from the file's header. Press a score "
            "and it says what holds it down, how sure it is, and what would help."
        ),
    ),
    Topic(
        "compatibilityFixes",
        N_("What would help"),
        N_(
            "The smallest changes that raise the fit, each with the score that it would give: fewer tokens of context, "
            "a coarser cache, another file or provider, less in memory. The button makes the change; what the settings "
            "were before can be set again under LLM Settings."
        ),
    ),
    Topic(
        "whatIf",
        N_("What if"),
        N_(
            "Move a slider and see at once how the fit, the memory and the speed would change, here or on another "
            "machine: choose one, or describe it, as “24 GB card”. Nothing changes until you use the settings."
        ),
    ),
    Topic(
        "compareFits",
        N_("Compare"),
        N_(
            "Each row is a model, each column one of your providers; the figure is the fit, and a darker or brighter "
            "cell does better. “—” means that the question makes no sense there. Point at a cell to hear why, press it "
            "to open the pair. Table shows the same as plain figures."
        ),
    ),
    Topic(
        "modelFormats",
        N_("Formats"),
        N_(
            "GGUF is one file that the built-in engine and Ollama run; its quantisation (Q4_K_M, Q8_0) says how far it "
            "was shrunk. safetensors are original weights for Python. Pickled PyTorch files can run code when they are "
            "opened, so they are scanned and held back."
        ),
    ),
    Topic(
        "licences",
        N_("Licences"),
        N_(
            "What the publisher allows. “Commercial use” gathers the licences known to allow it without further terms; "
            "read the licence itself before you rely on it."
        ),
    ),
    Topic(
        "sources",
        N_("Sources"),
        N_(
            "Places where models can be had: Hugging Face, hubs of your own, folders, and the samples that work "
            "offline. One that is down or slow does not hold up the others; its last good answer is shown with its age."
        ),
    ),
    Topic(
        "gatedModels",
        N_("Gated models"),
        N_(
            "Some publishers want to be asked. Open the model's page, accept the terms with your account, and set a "
            "token of that account (HF_TOKEN); then download it here."
        ),
    ),
    Topic(
        "downloadProcess",
        N_("Downloads"),
        N_(
            "Files arrive in pieces beside the library, are compared with the published checksum, scanned, and only "
            "then get their names. Pause, close the lid, lose the network: it goes on where it stopped. Three run at "
            "once, others wait their turn: the highest priority first, then in the order of the list. Unfold a row to "
            "see its files and to change its place."
        ),
    ),
    Topic(
        "news",
        N_("News"),
        N_(
            "The bell counts what ended and what needs a decision: downloads that are done or failed, files that were "
            "held back, and what waits for a budget. It is kept until somebody marks it as seen, also while no page is "
            "open. Each entry has one button, which leads to where it belongs."
        ),
    ),
    Topic(
        "batchSelection",
        N_("Several at once"),
        N_(
            "Tick several models of a list, with the mouse or with the space bar, and do the same with all of them. "
            "Before anything is fetched the sizes, the disks, the licences and the gates are told; at the end, what "
            "could not be done and why."
        ),
    ),
    Topic(
        "storageManagement",
        N_("Storage"),
        N_(
            "Models lie in the Hugging Face cache, where transformers, vLLM and llama.cpp find them too; what other "
            "programs put there is shown as well. Before a model is removed you are told what else uses its files."
        ),
    ),
    Topic(
        "registration",
        N_("Where a model can be used"),
        N_(
            "A model that lands in the library is given to every provider that does well with it (60 of 100 or more), "
            "by a link or its path where that is possible: then its bytes are on the disk once. Where a copy is needed "
            "you are asked first, and the size is on the button. Undo has the provider forget it; the library keeps it."
        ),
    ),
    Topic(
        "quarantine",
        N_("Quarantine"),
        N_(
            "Files that could run code when opened, or that are not what they claim, are held here and never reach the "
            "library. Inspect says what was found in each. Choose a repository in GGUF or safetensors instead.\n"
            "An administrator can release a file with a reason: these very bytes pass from then on, if they are still "
            "those that were held. A download that waits for a decision is accepted or rejected here, too."
        ),
    ),
    Topic(
        "verdicts",
        N_("Shields"),
        N_(
            "Every file is scanned before it gets its name in the library. “Scanned, nothing found” means all files by "
            "today's rules; “nothing found so far”, what can be seen before the download; “needs a decision”, that a "
            "person must look; “blocked”, that it is unsafe; “let through”, that an administrator said it may pass.\n"
            "Press a shield to see what was found, where, what it could do and what to do, when it was scanned and "
            "what the source's own scanners say. They can make a verdict worse, never better."
        ),
    ),
    Topic(
        "verifyEverything",
        N_("Verify everything"),
        N_(
            "Reads every installed file again, compares it with its checksum, looks whether whole models are whole, "
            "and scans by today's rules. It can be paused; models can be used meanwhile. What is not as it should be "
            "is listed at the end."
        ),
    ),
    Topic(
        "vettingReport",
        N_("Reports"),
        N_(
            "What the scanner found, as a file to hand on: JSON, or SARIF 2.1.0, which code hosts and editors read. "
            "The one of the library names every installed file and all that is held; what was not looked at is said."
        ),
    ),
    Topic(
        "llmSettings",
        N_("LLM Settings"),
        N_(
            "Providers are what serves models: the built-in engine, Ollama, others. Here you see how they are and what "
            "they offer, and try a model. A model that is downloaded appears under the built-in engine by itself."
        ),
    ),
    Topic(
        "addProvider",
        N_("Adding a provider"),
        N_(
            "Pick what serves your models: an engine on this or another machine, or a cloud service by its name. "
            "Engines that already run here are found by themselves. Fill in address and key; it is tested before it "
            "is saved."
        ),
    ),
    Topic(
        "testProvider",
        N_("Testing a provider"),
        N_(
            "Asks a route that needs the key and says what is wrong, if something is: the key, its permissions, the "
            "credit, the address, the certificate, or that nobody answers. Where every free route is open to all, "
            "only a question to a model proves a key."
        ),
    ),
    Topic(
        "providerKeys",
        N_("Keys"),
        N_(
            "A key is kept encrypted, shown to nobody again, and sent to its provider only. A provider may have "
            "several, each for the models whose names fit a pattern. A key in an environment variable is read from "
            "there and copied nowhere."
        ),
    ),
    Topic(
        "loadSettings",
        N_("Loading a model"),
        N_(
            "How much a model can take in at once, how precisely it remembers, how much of it goes to the graphics "
            "card, and when it leaves the memory again. A longer context takes more memory."
        ),
    ),
    Topic(
        "hubAccount",
        N_("Your account at Hugging Face"),
        N_(
            "Most models need none. A gated model wants to know who asks: sign in with a token of your account, accept "
            "the terms on the model's page, and download it here. The token is kept encrypted. One in HF_TOKEN or of "
            "`hf auth login` counts too."
        ),
    ),
    Topic(
        "providerHealth",
        N_("How providers are"),
        N_(
            "Each provider is looked at every half minute. “Well” answers quickly, “slow” answers late, “does not "
            "answer” is switched off or elsewhere, “refuses us” wants another key. Test looks at once."
        ),
    ),
    Topic(
        "tryIt",
        N_("Try it"),
        N_(
            "A conversation with the model. The first answer waits until it is loaded into memory. Stop ends an "
            "answer; what was said so far stays. Enter sends, Shift+Enter begins a new line. Nothing is kept."
        ),
    ),
    Topic(
        "compareModels",
        N_("Two models side by side"),
        N_(
            "Choose a second model and both are asked the same. Below each answer stands how many tokens it has, how "
            "fast they came and how long the first took."
        ),
    ),
    Topic(
        "profiles",
        N_("Profiles"),
        N_(
            "A model under a name of yours: with a system prompt, settings, and fallbacks that are asked while it does "
            "not answer. Ask it as @name where a model is named; @ and a purpose means the default of that purpose.\n"
            "When a model is gone you are told, and offered the nearest that can do the same."
        ),
    ),
    Topic(
        "memory",
        N_("Memory"),
        N_(
            "A model must fit into memory: its weights, the context (which grows with its length), and room to work. "
            "GiB are 2^30 bytes, as memory is sold; files and disks are shown in GB, 10^9 bytes."
        ),
    ),
    Topic(
        "conflicts",
        N_("What is at odds"),
        N_(
            "Copies of the same bytes, one model under two names, two providers at one address, files that nothing "
            "uses, a profile without its model, a full disk: each is explained and resolved with one button. What is "
            "put away waits in the trash for a week; Undo puts it back. What cannot be undone asks first."
        ),
    ),
    Topic(
        "selfTest",
        N_("Status and self-test"),
        N_(
            "How every part is. The self-test really walks the journey: it finds a sample model, downloads, verifies, "
            "scans and runs it, in a home of its own, and cleans up. Then each of your providers is reached, let in "
            "and listed; those that cost money answer only if you tick that."
        ),
    ),
    Topic(
        "doctor",
        N_("Look for what is wrong"),
        N_(
            "Everything that can be wrong here: disk, database, network, clock, packages, saved keys, sources, "
            "providers, hooks. The support file tells a helper about it; it holds no names, paths, keys or questions."
        ),
    ),
    Topic(
        "hooks",
        N_("Rules and messages"),
        N_(
            "Hooks are rules of your own that may refuse a download, a registration or a deletion. Webhooks are "
            "told when a download ends. Both stand in config.toml; docs/hooks.md says how."
        ),
    ),
    Topic("drawer", N_("Details"), N_("Esc closes the details and returns to the list.")),
    Topic("notices", N_("Notices"), N_("Each says what happened and what to do. ✕ takes it away.")),
    Topic("theme", N_("Light and dark"), N_("The choice is kept in this browser; at first it follows your system.")),
    Topic("help", N_("Help"), N_("Press ? anywhere: it explains the control that is in focus.")),
)

_KEYS = (
    (("/",), N_("search")),
    (("?",), N_("explain what is in focus")),
    (("↑", "↓"), N_("go through a list")),
    (("Enter",), N_("open a row")),
    (("→",), N_("go to a row's buttons")),
    (("Esc",), N_("close, or clear the search")),
)


def topics() -> list[dict[str, str]]:
    """All topics in the chosen language."""
    return [{"key": topic.key, "title": _(topic.title), "text": _(topic.text)} for topic in TOPICS]


def keys() -> list[dict[str, Any]]:
    """What the keyboard does."""
    return [{"keys": list(names), "text": _(text)} for names, text in _KEYS]
