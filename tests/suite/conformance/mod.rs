//! The conformance suite, and that it notices what it is there to notice.
//!
//! The source of the broken connectors is in `tests/connectors/mutants`.

mod bundled;
