//! Numbers from a seed: the same ones on every machine and with every version of every crate.

/// splitmix64 (Steele, Lea, Flood 2014).
#[derive(Clone, Debug)]
pub(super) struct Seed(u64);

impl Seed {
    pub(super) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ 0x5157_4943_4b53_5441)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut bits = self.0;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        bits ^ (bits >> 31)
    }

    /// A number from `from` up to and including `to`.
    pub(super) fn number(&mut self, from: u64, to: u64) -> u64 {
        from + self.next() % (to - from + 1)
    }

    /// The same, small.
    pub(super) fn small(&mut self, from: u32, to: u32) -> u32 {
        u32::try_from(self.number(u64::from(from), u64::from(to))).unwrap()
    }

    /// One of these.
    pub(super) fn one<T: Copy>(&mut self, of: &[T]) -> T {
        of[usize::try_from(self.number(0, of.len() as u64 - 1)).unwrap()]
    }

    /// True in one of so many cases.
    pub(super) fn chance(&mut self, one_in: u64) -> bool {
        self.number(1, one_in) == 1
    }
}
