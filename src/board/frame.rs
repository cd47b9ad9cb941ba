//! Check sums that more than one family uses.

/// CRC16-Modbus: polynomial 8005 reflected, initial FFFF. Sent low byte first.
#[must_use]
pub fn crc16_modbus(bytes: &[u8]) -> u16 {
    bytes.iter().fold(0xFFFF, |crc, &byte| {
        (0..8).fold(crc ^ u16::from(byte), |crc, _| if crc & 1 == 1 { (crc >> 1) ^ 0xA001 } else { crc >> 1 })
    })
}

/// CRC16/XMODEM: polynomial 1021, initial 0, not reflected. Sent high byte first.
#[must_use]
pub fn crc16_xmodem(bytes: &[u8]) -> u16 {
    bytes.iter().fold(0, |crc, &byte| {
        (0..8)
            .fold(crc ^ (u16::from(byte) << 8), |crc, _| if crc & 0x8000 == 0 { crc << 1 } else { (crc << 1) ^ 0x1021 })
    })
}

/// XOR over all bytes.
#[must_use]
pub fn xor8(bytes: &[u8]) -> u8 {
    bytes.iter().fold(0, |sum, &byte| sum ^ byte)
}

/// Low byte of the sum of all bytes.
#[must_use]
pub fn sum8(bytes: &[u8]) -> u8 {
    bytes.iter().fold(0, |sum, &byte| sum.wrapping_add(byte))
}

/// Bytes as people read them: `02 1f`.
#[must_use]
pub fn hex(bytes: &[u8]) -> String {
    let bytes: Vec<String> = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    bytes.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_check_sum_has_the_published_value_of_the_digits_one_to_nine() {
        assert_eq!(crc16_modbus(b"123456789"), 0x4B37, "CRC-16/MODBUS in every catalogue");
        assert_eq!(crc16_xmodem(b"123456789"), 0x31C3, "CRC-16/XMODEM in every catalogue");
        assert_eq!(sum8(b"123456789"), 0xDD, "477 = 0x1DD");
        assert_eq!(xor8(b"123456789"), 0x31);
    }
}
