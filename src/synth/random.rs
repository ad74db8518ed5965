//! Chance that is the same every time.

/// SplitMix64: small, seeded, and good enough to mix names. Source: Steele, Lea, Flood, OOPSLA 2014.
#[derive(Clone, Debug)]
pub struct Random(u64);

impl Random {
    /// The numbers that follow from `seed`.
    pub fn new(seed: u64) -> Random {
        Random(seed)
    }

    /// The next number.
    pub fn draw(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below `bound`; 0 for a bound of 0.
    pub fn below(&mut self, bound: u64) -> u64 {
        self.draw() % bound.max(1)
    }

    /// True in `per_mille` of 1000 cases.
    pub fn happens(&mut self, per_mille: u64) -> bool {
        self.below(1000) < per_mille
    }

    /// One of `list`, each as likely as the others.
    pub fn pick<'a, T>(&mut self, list: &'a [T]) -> &'a T {
        let at = self.below(list.len() as u64) as usize;
        list.get(at).expect("a remainder is below the length")
    }

    /// One of `list`, each as likely as its weight has it.
    pub fn weighted<T: Copy>(&mut self, list: &[(T, u16)]) -> T {
        let total: u64 = list.iter().map(|(_, weight)| u64::from(*weight)).sum();
        let mut left = self.below(total);
        for (item, weight) in list {
            match left.checked_sub(u64::from(*weight)) {
                Some(rest) => left = rest,
                None => return *item,
            }
        }
        list.last().expect("a list to choose from is not empty").0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_weighted_more_comes_more_often() {
        let mut random = Random::new(1);
        let list = [("often", 90), ("seldom", 10), ("never", 0)];
        let mut often = 0;
        for _ in 0..10_000 {
            let item = random.weighted(&list);
            assert_ne!(item, "never");
            often += u32::from(item == "often");
        }
        assert!((8_800..9_200).contains(&often), "{often}");
        assert_eq!(Random::new(7).draw(), Random::new(7).draw());
        assert_ne!(Random::new(7).draw(), Random::new(8).draw());
    }
}
