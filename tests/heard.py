"""Events of a sweep, for tests: what was told is kept."""


class Heard:
    """Keeps the steps, records and notes that a sweep tells."""

    def __init__(self):
        self.steps, self.records, self.notes = [], [], []

    def step(self, trial, step, loss):
        self.steps.append((trial.id, step))

    def finished(self, record):
        self.records.append(record)

    def note(self, text):
        self.notes.append(text)
