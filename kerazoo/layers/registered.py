"""The decorator by which Keras finds a layer of kerazoo in a saved model."""

import keras

registered = keras.saving.register_keras_serializable(package="kerazoo")
