"""Words as points in space, learned by a small neural network that guesses the next word of a novel.

Every word of the vocabulary gets a vector. The vectors of a few successive words, side by side, go through a layer of
tanh units to a softmax over the word that follows, and vectors and weights alike are moved to make the true
word likelier (Bengio, Ducharme, Vincent and Jauvin, A Neural Probabilistic Language Model, JMLR 3, 2003). Nobody tells
the network what a word means, yet words that are used alike come to lie close together.

It shows parameters kept in a dict, gradients that come back as the same dict, an optimiser (Adam) written with
`tree.map`, and the gradient of a table look-up, `table[indices]`. The text is two novels by Jane Austen
(`data/README.md`).

    python examples/word_vectors.py             # about a minute
    python examples/word_vectors.py --quick     # a few seconds
"""

from __future__ import annotations

import argparse
import gzip
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from matplotlib.figure import Figure
from matplotlib.transforms import Bbox
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray
from tqdm import tqdm

from xformad import tree, value_and_grad

Array = NDArray[np.float32]
Indices = NDArray[np.int64]
Params = dict[str, Array]

DATA: Final = Path(__file__).parent / "data"
NOVELS: Final = ("pride_and_prejudice", "sense_and_sensibility")
UNKNOWN: Final = "<other>"

# The words whose neighbours are printed, and groups to colour in the picture. The network knows nothing of either.
EXAMPLES: Final = ("he", "mother", "elizabeth", "could", "was", "two", "house", "said", "very", "from")
GROUPS: Final = {
    "pronouns": "i he she it they we you me him them us himself herself themselves myself who",
    "possessives and articles": "my his her their your our its the a an this that these those every no some any",
    "people": "elizabeth darcy jane bingley elinor marianne collins wickham lydia charlotte edward willoughby lucy",
    "family": "mother father sister sisters brother daughter daughters son aunt uncle husband wife friend mamma",
    "titles": "mr mrs miss lady sir colonel",
    "auxiliary verbs": "could would should might must may can shall will is was are were be been had have has did",
    "prepositions": "of to in with for at by from on upon into without about after before towards through under",
}


@dataclass(frozen=True)
class Corpus:
    """Examples of the vocabulary's use: each row is a context of word numbers, then the number of the next word."""

    vocabulary: list[str]
    train: Indices
    test: Indices


@dataclass(frozen=True)
class Report:
    """What the program found. A perplexity of p: as uncertain as a choice between p equally likely words."""

    unigram_perplexity: float
    perplexity: float
    neighbours: dict[str, list[str]]
    picture: Path


def read_words(path: Path) -> list[str]:
    """The words and punctuation marks of a text, in lower case.

    Raises:
        SystemExit: if the file is missing or cannot be read.
    """
    if not path.is_file():
        raise SystemExit(
            f"{path}: no such file. The novels are part of xformad's source repository (examples/data); "
            "run the program from a checkout of it, or give their folder with --data."
        )
    try:
        with gzip.open(path, "rt", encoding="ascii") as file:
            text = file.read().lower().replace("_", "")
    except (OSError, EOFError, UnicodeDecodeError) as error:
        raise SystemExit(f"{path}: cannot be read as gzipped ASCII text: {error}") from error
    text = re.sub(r"^(chapter|volume) .*$", "", text, flags=re.MULTILINE)
    text = re.sub(r"\b(mr|mrs|dr|st)\.", r"\1", text)
    return re.findall(r"[a-z]+(?:'[a-z]+)?|[.,;:!?]|--", text)


def load_corpus(folder: Path, size: int, context: int, test_share: float) -> Corpus:
    """The novels as training and test examples; the end of each novel is the test part.

    Args:
        folder: where the novels are.
        size: words in the vocabulary. All rarer ones become one word.
        context: words before the one to guess.
        test_share: the share of each novel that is held out.
    """
    novels = [read_words(folder / f"{name}.txt.gz") for name in NOVELS]
    counts = Counter(word for novel in novels for word in novel)
    vocabulary = [UNKNOWN, *(word for word, _ in counts.most_common(size - 1))]
    number = {word: i for i, word in enumerate(vocabulary)}
    train, test = [], []
    for novel in novels:
        examples = sliding_window_view(np.array([number.get(word, 0) for word in novel]), context + 1)
        cut = round((1.0 - test_share) * len(examples))
        train.append(examples[: cut - context])
        test.append(examples[cut:])
    return Corpus(vocabulary, np.concatenate(train), np.concatenate(test))


def initial_params(vocabulary: int, context: int, dimension: int, hidden: int, rng: np.random.Generator) -> Params:
    """Small random weights, scaled so that the tanh units start in their linear range."""

    def normal(scale: float, *shape: int) -> Array:
        return (scale * rng.standard_normal(shape)).astype(np.float32)

    inputs = context * dimension
    return {
        "vectors": normal(0.1, vocabulary, dimension),
        "hidden_weights": normal(inputs**-0.5, inputs, hidden),
        "hidden_bias": np.zeros(hidden, np.float32),
        "output_weights": normal(0.1 * hidden**-0.5, hidden, vocabulary),
        "output_bias": np.zeros(vocabulary, np.float32),
    }


def log_loss(params: Params, examples: Indices) -> np.float32:
    """The mean negative log-probability of the next word, in nats."""
    contexts, targets = examples[:, :-1], examples[:, -1]
    inputs = np.reshape(params["vectors"][contexts], (len(examples), -1))
    hidden = np.tanh(inputs @ params["hidden_weights"] + params["hidden_bias"])
    scores = hidden @ params["output_weights"] + params["output_bias"]
    scores = scores - np.max(scores, axis=1, keepdims=True)
    log_normaliser = np.log(np.sum(np.exp(scores), axis=1))
    loss: np.float32 = np.mean(log_normaliser - scores[np.arange(len(examples)), targets])
    return loss


def train(params: Params, examples: Indices, steps: int, batch: int, rate: float, rng: np.random.Generator) -> Params:
    """Adam (Kingma and Ba, ICLR 2015) on random batches, with a learning rate that falls to zero."""
    loss_and_gradient = value_and_grad(log_loss)
    decay1, decay2, tiny = 0.9, 0.999, 1e-8
    mean = tree.map(np.zeros_like, params)
    square = tree.map(np.zeros_like, params)
    smooth_loss = float(log_loss(params, examples[:batch]))
    with tqdm(range(1, steps + 1), desc="training", unit="step") as progress:
        for step in progress:
            chosen = examples[rng.integers(len(examples), size=batch)]
            loss, gradient = loss_and_gradient(params, chosen)
            mean = tree.map(lambda m, g: decay1 * m + (1.0 - decay1) * g, mean, gradient)
            square = tree.map(lambda s, g: decay2 * s + (1.0 - decay2) * g * g, square, gradient)
            size = rate * (1.0 - step / steps) * (1.0 - decay2**step) ** 0.5 / (1.0 - decay1**step)
            params = tree.map(lambda p, m, s, size=size: p - size * m / (np.sqrt(s) + tiny), params, mean, square)
            smooth_loss += 0.02 * (float(loss) - smooth_loss)
            progress.set_postfix(perplexity=f"{np.exp(smooth_loss):.1f}", refresh=False)
    return params


def perplexity(params: Params, examples: Indices, batch: int = 2048) -> float:
    """The exponential of the mean log-loss over all examples."""
    batches = [examples[i : i + batch] for i in range(0, len(examples), batch)]
    total = sum(float(log_loss(params, part)) * len(part) for part in batches)
    return float(np.exp(total / len(examples)))


def unigram_perplexity(corpus: Corpus) -> float:
    """The perplexity of the guess that takes no notice of the context: each word's frequency in the training part."""
    counts = np.bincount(corpus.train[:, -1], minlength=len(corpus.vocabulary)) + 1.0
    probabilities = counts / counts.sum()
    return float(np.exp(-np.mean(np.log(probabilities[corpus.test[:, -1]]))))


def nearest(vectors: Array, vocabulary: list[str], word: str, number: int = 6) -> list[str]:
    """The words whose vectors make the smallest angles with that of a word."""
    directions = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    order = np.argsort(-(directions @ directions[vocabulary.index(word)]))
    return [vocabulary[i] for i in order if vocabulary[i] not in (word, UNKNOWN)][:number]


def principal_components(vectors: Array, number: int = 2) -> tuple[Array, Array]:
    """The coordinates along the directions of largest variance, and the share of the variance that each explains."""
    centred = vectors - vectors.mean(axis=0)
    left, singular, _ = np.linalg.svd(centred, full_matrices=False)
    share = singular**2 / np.sum(singular**2)
    return left[:, :number] * singular[:number], share[:number]


def draw(vectors: Array, vocabulary: list[str], number: int, picture: Path) -> None:
    """Draw the vectors of the most frequent words in the plane of their first two principal components."""
    words = [(i, word) for i, word in enumerate(vocabulary) if word[0].isalpha()][:number]
    points, share = principal_components(vectors[[i for i, _ in words]])
    group_of = {word: group for group, members in GROUPS.items() for word in members.split()}
    colours = {group: f"C{k}" for k, group in enumerate(GROUPS)}

    figure = Figure(figsize=(12, 9), layout="constrained")
    axes = figure.subplots()
    for group in (None, *GROUPS):
        members = [k for k, (_, word) in enumerate(words) if group_of.get(word) == group]
        colour = colours[group] if group else "0.6"
        axes.scatter(points[members, 0], points[members, 1], s=14, color=colour, label=group or "other words")
    axes.set(title=f"The {len(words)} most frequent words, placed by their learned vectors")
    axes.set_xlabel(f"first principal component ({share[0]:.0%} of the variance)")
    axes.set_ylabel(f"second principal component ({share[1]:.0%})")
    axes.margins(0.05)
    axes.legend(loc="best", fontsize=9)
    figure.draw_without_rendering()

    # The coloured words come first, then the others by frequency; a label that would cover an earlier one is left out.
    taken: list[Bbox] = []
    for k in sorted(range(len(words)), key=lambda k: words[k][1] not in group_of):
        word, point = words[k][1], points[k]
        colour = colours[group_of[word]] if word in group_of else "0.3"
        text = axes.annotate(word, tuple(point), (3, 2), textcoords="offset points", fontsize=9, color=colour)
        box = text.get_window_extent()
        if box.count_overlaps(taken):
            text.remove()
        else:
            taken.append(box)
    picture.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(picture, dpi=130)


def main(argv: Sequence[str] | None = None) -> Report:
    """Run the program with these command line arguments, by default the real ones."""
    parser = argparse.ArgumentParser(description="Learn word vectors with a small neural language model.")
    parser.add_argument("--steps", type=int, default=6000, help="steps of Adam (default: 6000)")
    parser.add_argument("--quick", action="store_true", help="a short run: --steps 300 --rate 0.02 --words 500")
    parser.add_argument("--words", type=int, default=1000, help="words in the vocabulary (default: 1000)")
    parser.add_argument("--context", type=int, default=4, help="words before the one to guess (default: 4)")
    parser.add_argument("--dimension", type=int, default=32, help="length of a word's vector (default: 32)")
    parser.add_argument("--hidden", type=int, default=64, help="tanh units (default: 64)")
    parser.add_argument("--batch", type=int, default=256, help="examples in a step (default: 256)")
    parser.add_argument("--rate", type=float, default=4e-3, help="initial learning rate (default: 0.004)")
    parser.add_argument("--seed", type=int, default=0, help="seed of weights and batches (default: 0)")
    parser.add_argument("--data", type=Path, default=DATA, help="folder of the novels")
    parser.add_argument("--output", type=Path, default=DATA.parent / "output", help="folder for the picture")
    options = parser.parse_args(argv)
    if (
        min(options.words, options.dimension, options.hidden, options.batch) < 2
        or min(options.steps, options.context) < 1
    ):
        parser.error("sizes must be at least 2, --steps and --context at least 1")
    if options.quick:
        options.steps, options.rate, options.words = 300, 0.02, 500

    corpus = load_corpus(options.data, options.words, options.context, test_share=0.1)
    words = len(corpus.vocabulary)
    print(f"{words} words, {len(corpus.train)} training examples, {len(corpus.test)} held-out examples")

    rng = np.random.default_rng(options.seed)
    params = initial_params(words, options.context, options.dimension, options.hidden, rng)
    params = train(params, corpus.train, options.steps, options.batch, options.rate, rng)
    vectors = params["vectors"]
    report = Report(
        unigram_perplexity=unigram_perplexity(corpus),
        perplexity=perplexity(params, corpus.test),
        neighbours={w: nearest(vectors, corpus.vocabulary, w) for w in EXAMPLES if w in corpus.vocabulary},
        picture=options.output / "word_vectors.png",
    )
    draw(vectors, corpus.vocabulary, 250, report.picture)
    print(f"held-out perplexity {report.perplexity:.1f}; by word frequencies alone {report.unigram_perplexity:.1f}")
    print("nearest words:")
    for word, neighbours in report.neighbours.items():
        print(f"  {word:10s} {', '.join(neighbours)}")
    print(f"picture: {report.picture}")
    return report


if __name__ == "__main__":
    main()
