"""The export answers as TF Serving would let it: over gRPC, by its SavedModel's signature."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent import futures
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

grpc = pytest.importorskip("grpc")
pytest.importorskip("tensorflow_serving", reason="tensorflow-serving-api is not installed")

from tensorflow_serving.apis import (  # noqa: E402
    get_model_metadata_pb2,
    predict_pb2,
    prediction_service_pb2_grpc,
)

SIGNATURE = "serving_default"


class PredictionService(prediction_service_pb2_grpc.PredictionServiceServicer):
    """What TF Serving does with the folder that it is given as --model_base_path."""

    def __init__(self, base: Path) -> None:
        self.version = max(int(folder.name) for folder in base.iterdir() if folder.name.isdigit())
        self.loaded = tf.saved_model.load(str(base / str(self.version)))

    def Predict(self, request: Any, context: Any) -> Any:  # noqa: N802
        function = self.loaded.signatures[request.model_spec.signature_name or SIGNATURE]
        try:
            inputs = {name: tf.constant(tf.make_ndarray(p)) for name, p in request.inputs.items()}
            outputs = function(**inputs)
        except (TypeError, ValueError, tf.errors.InvalidArgumentError) as error:
            context.abort(grpc.StatusCode.INVALID_ARGUMENT, str(error).splitlines()[0])
        answer = predict_pb2.PredictResponse()
        answer.model_spec.name = request.model_spec.name
        answer.model_spec.version.value = self.version
        for name in request.output_filter or outputs:
            answer.outputs[name].CopyFrom(tf.make_tensor_proto(outputs[name].numpy()))
        return answer

    def GetModelMetadata(self, request: Any, context: Any) -> Any:  # noqa: N802
        answer = get_model_metadata_pb2.GetModelMetadataResponse()
        answer.model_spec.name = request.model_spec.name
        function = self.loaded.signatures[SIGNATURE]
        record = get_model_metadata_pb2.SignatureDefMap()
        info = record.signature_def[SIGNATURE].inputs
        for name, spec in function.structured_input_signature[1].items():
            info[name].dtype = spec.dtype.as_datatype_enum
            info[name].tensor_shape.CopyFrom(spec.shape.as_proto())
        answer.metadata["signature_def"].Pack(record)
        return answer


@pytest.fixture(scope="module")
def stub(folder: Path) -> Iterator[Any]:
    server = grpc.server(futures.ThreadPoolExecutor(2))
    prediction_service_pb2_grpc.add_PredictionServiceServicer_to_server(
        PredictionService(folder / "serving"), server
    )
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
        yield prediction_service_pb2_grpc.PredictionServiceStub(channel)
    server.stop(None).wait()


def asked(images: np.ndarray, name: str = "images") -> Any:
    request = predict_pb2.PredictRequest()
    request.model_spec.name = "digits"
    request.model_spec.signature_name = SIGNATURE
    request.inputs[name].CopyFrom(tf.make_tensor_proto(images))
    return request


@pytest.mark.parametrize("samples", [1, 7])
def test_predict_answers_as_the_network_does(
    stub: Any, folder: Path, images: np.ndarray, samples: int
) -> None:
    answer = stub.Predict(asked(images[:samples]), timeout=20)
    assert list(answer.outputs) == ["outputs"]
    assert answer.model_spec.version.value == 1
    model = keras.models.load_model(folder / "model.keras")
    np.testing.assert_allclose(
        tf.make_ndarray(answer.outputs["outputs"]),
        model.predict(images[:samples], verbose=0),
        atol=1e-6,
    )


def test_the_signature_is_what_clients_are_told(stub: Any) -> None:
    request = get_model_metadata_pb2.GetModelMetadataRequest(metadata_field=["signature_def"])
    answer = stub.GetModelMetadata(request, timeout=20)
    record = get_model_metadata_pb2.SignatureDefMap()
    answer.metadata["signature_def"].Unpack(record)
    (images,) = record.signature_def[SIGNATURE].inputs.values()
    assert images.dtype == tf.float32.as_datatype_enum
    assert [dim.size for dim in images.tensor_shape.dim] == [-1, 8, 8, 1]


@pytest.mark.parametrize(
    ("images", "name"),
    [(np.zeros((1, 9), "float32"), "images"), (np.zeros((1, 8, 8, 1), "float32"), "pixels")],
)
def test_other_inputs_are_refused(stub: Any, images: np.ndarray, name: str) -> None:
    with pytest.raises(grpc.RpcError) as caught:
        stub.Predict(asked(images, name), timeout=20)
    assert caught.value.code() == grpc.StatusCode.INVALID_ARGUMENT
