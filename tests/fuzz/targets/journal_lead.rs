#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| vend_fuzz::decoders::journal_lead(data));
