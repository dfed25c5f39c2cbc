#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| quantum_clm::fuzzing::export(bytes));
