"""What can be wrong with a model that a person names, each with its next step."""

from desktop.errors import QT_TRANSLATE_NOOP, AppError


class UnknownModel(AppError):
    """Nothing is called like that."""

    message = QT_TRANSLATE_NOOP("core", 'There is no model called "{reference}".')
    hint = QT_TRANSLATE_NOOP("core", 'Run "snug models" to see what there is, or give the path of a GGUF file.')


class UnknownModelButSimilar(UnknownModel):
    """Nothing is called like that, but something nearly is."""

    hint = QT_TRANSLATE_NOOP("core", 'Did you mean {similar}? "snug models" shows everything there is.')


class SeveralModels(AppError):
    """What somebody wants to remove may be one of several."""

    message = QT_TRANSLATE_NOOP("core", '"{reference}" may mean several models: {ids}.')
    hint = QT_TRANSLATE_NOOP("core", "Name one of them, as it is written here. Nothing was removed.")


class UnknownQuantization(AppError):
    """The model exists, this quantization of it does not."""

    message = QT_TRANSLATE_NOOP("core", "{model} does not come as {quantization}.")
    hint = QT_TRANSLATE_NOOP("core", "Choose one of: {known}.")


class ModelFileGone(AppError):
    """The library knows the model, but its file is not there any more."""

    message = QT_TRANSLATE_NOOP("core", "The file of {model} is gone: {path}")
    hint = QT_TRANSLATE_NOOP("core", "Connect the disk it is on, or download it again.")


class ModelFileIsFolder(ModelFileGone):
    """Where the file of a model was, there is a folder now."""

    message = QT_TRANSLATE_NOOP("core", "Where the file of {model} was, there is a folder now: {path}")
    hint = QT_TRANSLATE_NOOP("core", "Move the folder away and put the file back, or download the model again.")


class ModelFileChanged(AppError):
    """The file is another one than the library knows: its size or its time has changed."""

    message = QT_TRANSLATE_NOOP("core", "The file of {model} has changed since Snug looked at it: {path}")
    hint = QT_TRANSLATE_NOOP("core", 'Check it on the Models page or with "snug verify"; then it is used as it is.')


class ModelFileTruncated(AppError):
    """The file is shorter than it has to be."""

    message = QT_TRANSLATE_NOOP("core", "The file of {model} is incomplete: {path}")
    hint = QT_TRANSLATE_NOOP("core", "Download it again, or wait until the program that writes it is done.")


class ModelFileDamaged(AppError):
    """The header of the file contradicts itself, or its content is not what its publisher says."""

    message = QT_TRANSLATE_NOOP("core", "The file of {model} is damaged: {path}")
    hint = QT_TRANSLATE_NOOP("core", "Remove it and download it again.")


class UnnameableFile(AppError):
    """The name of a file is not text in the system's own encoding."""

    message = QT_TRANSLATE_NOOP("core", "The name of {path} holds bytes that are no text.")
    hint = QT_TRANSLATE_NOOP("core", "Rename the file or its folder, then try again.")


class NotOursToRemove(AppError):
    """The model came with the set-up, or lies outside the models folder."""

    message = QT_TRANSLATE_NOOP("core", "{model} was not downloaded by Snug, so Snug does not remove it.")
    hint = QT_TRANSLATE_NOOP("core", "What comes with the set-up goes with it; other files you can delete yourself.")
