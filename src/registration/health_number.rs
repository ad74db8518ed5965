//! A person's health number: what people read to each other. Derived from the person's id; nothing of it is stored.
//!
//! `XXXX-XXXX-XXXX-XXXX-C`: eighty of the id's random bits (bytes 0 to 5 and 10 to 13: those that hold no version or variant)
//! in Crockford's base 32, most significant first, and his check character (the number modulo 37), which finds every single
//! wrong character and every two that changed places. People who were enrolled together share the first 24 bits (`person_ids`).
//! Source: Crockford, Base 32.

use uuid::Uuid;

const ALPHABET: &[u8; 37] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ*~$=U";

/// The health number of a person.
pub fn of(person: Uuid) -> String {
    let bytes = person.as_bytes();
    let (head, tail) = (bytes.iter().take(6), bytes.iter().skip(10).take(4));
    let bits = head.chain(tail).fold(0_u128, |bits, byte| bits << 8 | u128::from(*byte));
    let character = |at: u128| ALPHABET.get(at as usize).map_or('0', |byte| char::from(*byte));
    let mut text = String::with_capacity(21);
    for place in 0..16 {
        text.push(character(bits >> (75 - 5 * place) & 31));
        if place % 4 == 3 {
            text.push('-');
        }
    }
    text.push(character(bits % 37));
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_health_number_is_the_same_for_ever() {
        assert_eq!(of(Uuid::nil()), "0000-0000-0000-0000-0");
        assert_eq!(of(Uuid::max()), "ZZZZ-ZZZZ-ZZZZ-ZZZZ-~");
        assert_eq!(of(Uuid::from_u128(1)), of(Uuid::nil()), "the last two bytes are not in it");
        assert_eq!(of(Uuid::from_u128(1 << 16)), "0000-0000-0000-0001-1");
        assert_eq!(of(Uuid::from_u128(32 << 16)), "0000-0000-0000-0010-*");
    }

    #[test]
    fn every_bit_that_is_random_in_an_id_changes_the_number_and_its_check() {
        let person = Uuid::from_u128(0x0123_4567_89ab_4def_8123_4567_89ab_cdef);
        let random = (16..48).chain(80..128);
        for bit in random {
            let other = of(Uuid::from_u128(person.as_u128() ^ (1 << bit)));
            assert_ne!(other.get(..19), of(person).get(..19), "bit {bit}");
            assert_ne!(other.get(20..), of(person).get(20..), "bit {bit}");
        }
    }
}
