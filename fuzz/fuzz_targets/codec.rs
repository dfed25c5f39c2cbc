#![no_main]

libfuzzer_sys::fuzz_target!(|row: &[u8]| quantum_clm::fuzzing::codec(row));
