use x25519_dalek::{PublicKey, StaticSecret};

/// Whether a public key of X25519 is one that a secret comes of. With the few others, the points of low order, whatever the
/// private key is, what comes of it is nothing but zeros, which everybody knows (RFC 7748, section 6.1).
pub fn gives_a_secret(public: &[u8; 32]) -> bool {
    // Any private key will do: each is a multiple of the order that those points have.
    StaticSecret::from([1; 32]).diffie_hellman(&PublicKey::from(*public)).was_contributory()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn points_of_low_order_give_none() {
        let mut last = [0xff; 32];
        (last[0], last[31]) = (0xec, 0x7f);
        let mut one = [0; 32];
        one[0] = 1;
        for point in [[0; 32], one, last] {
            assert!(!gives_a_secret(&point), "{point:?}");
        }
        let mut base = [0; 32];
        base[0] = 9;
        assert!(gives_a_secret(&base) && gives_a_secret(&[7; 32]));
    }
}
