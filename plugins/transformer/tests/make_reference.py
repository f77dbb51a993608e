"""Makes the small random checkpoints that tests/parity.rs reads, and what Python transformers says of them.

    pip install "transformers==4.46.3" "jax[cpu]==0.4.35" "flax==0.10.2" "numpy<2" safetensors
    python make_reference.py

The models are the Flax ones of transformers, which need no PyTorch. Their weights are written under the names that
PyTorch checkpoints have. Inputs are numbers of pieces; nothing here needs a tokenizer.
"""

import json
import pathlib

import jax
import numpy as np
import transformers
from safetensors.numpy import save_file

HERE = pathlib.Path(__file__).parent / "data"
SEQUENCES = [[0, 5, 6, 7, 2], [0, 99, 2], [0, 2], [0, *range(4, 60), 2]]
SIZES = dict(
    vocab_size=100,
    hidden_size=16,
    num_hidden_layers=2,
    num_attention_heads=4,
    intermediate_size=40,
    max_position_embeddings=70,
    pad_token_id=1,
    initializer_range=0.5,
)
MODELS = {
    "bert": ("BertConfig", "FlaxBertModel", dict(type_vocab_size=2)),
    "xlm-roberta": ("XLMRobertaConfig", "FlaxXLMRobertaModel", dict(type_vocab_size=1, layer_norm_eps=1e-5)),
    "bert-head": ("BertConfig", "FlaxBertForSequenceClassification", dict(type_vocab_size=2, num_labels=3)),
    "xlm-roberta-head": (
        "XLMRobertaConfig",
        "FlaxXLMRobertaForSequenceClassification",
        dict(type_vocab_size=1, layer_norm_eps=1e-5, num_labels=3),
    ),
}


def pytorch_names(tree, prefix=""):
    """Flax parameters by the names, and in the layout, of a PyTorch checkpoint."""
    for key, value in tree.items():
        if isinstance(value, dict):
            yield from pytorch_names(value, f"{prefix}{key}.")
        elif key == "kernel":
            yield f"{prefix}weight", np.asarray(value).T
        else:
            yield prefix + {"embedding": "weight", "scale": "weight"}.get(key, key), np.asarray(value)


def main():
    for name, (config_class, model_class, more) in MODELS.items():
        config = getattr(transformers, config_class)(**SIZES, **more)
        model = getattr(transformers, model_class)(config, seed=7)
        # Norms and biases start as ones and zeros; only others can show that they are used.
        rng = np.random.default_rng(7)
        shake = lambda x: np.asarray(x) + rng.normal(0, 0.2, x.shape).astype(np.float32)
        params = jax.tree_util.tree_map(shake, model.params)
        folder = HERE / name
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "config.json").write_text(json.dumps({**SIZES, **more, "model_type": config.model_type}, indent=2) + "\n")
        weights = {k: np.ascontiguousarray(v) for k, v in pytorch_names(params) if not k.startswith("pooler")}
        save_file(weights, folder / "model.safetensors")
        # States of each token, or one row of logits.
        outputs = [np.asarray(model(np.array([s]), params=params)[0]).reshape(-1, more.get("num_labels", 16)) for s in SEQUENCES]
        expected = {
            "transformers": transformers.__version__,
            "sequences": SEQUENCES,
            "outputs": [[[round(float(x), 6) for x in row] for row in output] for output in outputs],
        }
        (folder / "expected.json").write_text(json.dumps(expected) + "\n")


main()
