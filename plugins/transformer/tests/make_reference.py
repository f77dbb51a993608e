"""Makes the small random checkpoints that the tests of src/encoder read, and what Python transformers says of them.

    pip install "torch==2.15.0" "transformers==4.57.6" safetensors
    python make_reference.py

Inputs are numbers of pieces; nothing here needs a tokenizer.
"""

import json
import pathlib

import torch
import transformers
from safetensors.torch import save_file

HERE = pathlib.Path(__file__).parent / "data"
SEQUENCES = [[0, 5, 6, 7, 2], [0, 99, 2], [0, 2], [0, *range(4, 60), 2]]
COMMON = dict(vocab_size=100, pad_token_id=1, initializer_range=0.5, max_position_embeddings=70)
SIZES = dict(hidden_size=16, num_hidden_layers=2, num_attention_heads=4, intermediate_size=40)
BERT = SIZES | dict(type_vocab_size=2)
ROBERTA = SIZES | dict(type_vocab_size=1, layer_norm_eps=1e-5)
DISTIL = dict(dim=16, n_layers=2, n_heads=4, hidden_dim=40)
# As in version 3: buckets that grow with the distance, and keys and queries of positions by the matrices of contents.
DEBERTA_3 = SIZES | dict(
    relative_attention=True,
    pos_att_type="p2c|c2p",
    position_buckets=8,
    share_att_key=True,
    norm_rel_ebd="layer_norm",
    position_biased_input=False,
    type_vocab_size=0,
)
# As in the large ones of version 2: a convolution. The rest is what the other one does not have.
DEBERTA_2 = SIZES | dict(
    relative_attention=True,
    pos_att_type=["c2p", "p2c"],
    max_relative_positions=20,
    conv_kernel_size=3,
    conv_act="gelu",
    embedding_size=12,
    type_vocab_size=2,
)
# Four layers: global, local, local, global. Nothing but the last norm bounds what adds up over them, so weights are
# smaller: rounding would grow with them.
MODERN = SIZES | dict(num_hidden_layers=4, local_attention=8, initializer_range=0.3)
BIASES = dict(attention_bias=True, mlp_bias=True, norm_bias=True, classifier_bias=True)
HEAD = dict(num_labels=3)
MODELS = {
    "bert": ("Bert", "Model", BERT),
    "bert-head": ("Bert", "ForSequenceClassification", BERT | HEAD),
    "xlm-roberta": ("XLMRoberta", "Model", ROBERTA),
    "xlm-roberta-head": ("XLMRoberta", "ForSequenceClassification", ROBERTA | HEAD),
    "distilbert": ("DistilBert", "Model", DISTIL),
    "distilbert-head": ("DistilBert", "ForSequenceClassification", DISTIL | HEAD),
    "deberta-v3": ("DebertaV2", "Model", DEBERTA_3),
    "deberta-v3-head": ("DebertaV2", "ForSequenceClassification", DEBERTA_3 | HEAD),
    "deberta-v2": ("DebertaV2", "Model", DEBERTA_2),
    "modernbert": ("ModernBert", "Model", MODERN),
    "modernbert-head": ("ModernBert", "ForSequenceClassification", SIZES | HEAD),
    "modernbert-mean-head": (
        "ModernBert",
        "ForSequenceClassification",
        SIZES | HEAD | BIASES | dict(local_rope_theta=100.0, global_attn_every_n_layers=2, classifier_pooling="mean"),
    ),
}


def main():
    for name, (family, kind, more) in MODELS.items():
        options = COMMON | more
        config = getattr(transformers, family + "Config")(**options, attn_implementation="eager")
        torch.manual_seed(7)
        model = getattr(transformers, family + kind)(config).eval()
        with torch.no_grad():
            # Norms and biases start as ones and zeros; only others can show that they are used.
            for weight in model.parameters():
                weight += 0.2 * torch.randn_like(weight)
            # States of each token, or one row of logits.
            outputs = [model(torch.tensor([s]))[0].reshape(-1, more.get("num_labels", 16)).tolist() for s in SEQUENCES]
        folder = HERE / name
        folder.mkdir(parents=True, exist_ok=True)
        config_json = json.dumps(options | {"model_type": config.model_type}, indent=2)
        (folder / "config.json").write_text(config_json + "\n")
        unused = "pooler." if kind == "Model" else "none"
        weights = {k: v.contiguous() for k, v in model.state_dict().items() if not k.startswith(unused)}
        save_file(weights, folder / "model.safetensors")
        expected = {
            "transformers": transformers.__version__,
            "sequences": SEQUENCES,
            "outputs": [[[round(x, 6) for x in row] for row in output] for output in outputs],
        }
        (folder / "expected.json").write_text(json.dumps(expected) + "\n")


main()
