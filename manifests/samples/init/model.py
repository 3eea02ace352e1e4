"""A predictor of your own: change `predict`."""

from kserve import Model, ModelServer


class Predictor(Model):
    def __init__(self, name):
        super().__init__(name)
        # Load your model here; requests are let in once `ready` is true.
        self.ready = True

    def predict(self, payload, headers=None, response_headers=None):
        # Protocol v1: {"instances": [row, row, …]} in, {"predictions": [one, one, …]} out.
        return {"predictions": [sum(row) for row in payload["instances"]]}


if __name__ == "__main__":
    ModelServer().start([Predictor("MODEL")])
