//! Rules: pure folds over what is committed.
