"""Trains the demo model and writes it to standard output: a support vector machine on scikit-learn's own iris data.

Run in the server's own image, so that the scikit-learn that saves the model is the one that loads it.
"""

import io
import sys

import joblib
from sklearn import datasets, svm

iris = datasets.load_iris()
model = svm.SVC(gamma="scale").fit(iris.data, iris.target)
buffer = io.BytesIO()
joblib.dump(model, buffer)
buffer.seek(0)
answer = joblib.load(buffer).predict([[6.8, 2.8, 4.8, 1.4], [6.0, 3.4, 4.5, 1.6]]).tolist()
if answer != [1, 1]:
    sys.exit(f"the trained model answers {answer}, not [1, 1]")
sys.stdout.buffer.write(buffer.getvalue())
