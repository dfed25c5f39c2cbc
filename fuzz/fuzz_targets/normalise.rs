#![no_main]

libfuzzer_sys::fuzz_target!(|line: &str| quantum_clm::fuzzing::normalise(line));
