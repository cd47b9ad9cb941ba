//! How an emulated board that is asked reads its line.

use crate::order::time::BootMs;

/// Bytes kept that are not yet a request; the longest request has 20.
const BUFFER_BYTES_MAX: usize = 64;
/// Bytes of a request that stopped for this long are forgotten: their sender is gone.
const STALE_MS: u64 = 200;

/// What was heard and is not yet a request.
#[derive(Debug, Default)]
pub struct Reader {
    buffer: Vec<u8>,
    last_byte: BootMs,
}

impl Reader {
    /// The requests that are whole now. `whole` says how long the request is that bytes begin with, if any; only those
    /// with a good check count, and boards do not answer the rest.
    pub fn requests(&mut self, now: BootMs, bytes: &[u8], whole: impl Fn(&[u8]) -> Option<usize>) -> Vec<Vec<u8>> {
        if now.since_ms(self.last_byte) > STALE_MS {
            self.buffer.clear();
        }
        self.last_byte = now;
        let mut requests = Vec::new();
        for &byte in bytes {
            self.buffer.push(byte);
            let found = (0..self.buffer.len())
                .find_map(|at| Some((at, at + whole(self.buffer.get(at..)?).filter(|&n| n > 0)?)));
            if let Some((start, end)) = found {
                requests.extend(self.buffer.get(start..end).map(<[u8]>::to_vec));
                self.buffer.clear();
            } else if self.buffer.len() >= BUFFER_BYTES_MAX {
                self.buffer.remove(0);
            }
        }
        requests
    }
}
