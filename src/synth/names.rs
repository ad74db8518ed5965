//! Names as they are in Viet Nam: three in ten people are called Nguyễn.

use super::random::Random;

/// A name in its parts. `middle` may be of several words, or empty.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Name {
    /// Họ.
    pub family: &'static str,
    /// Tên đệm.
    pub middle: &'static str,
    /// Tên.
    pub given: &'static str,
}

impl Name {
    /// The whole name, family name first.
    pub fn written(&self) -> String {
        match self.middle {
            "" => [self.family, self.given].join(" "),
            middle => [self.family, middle, self.given].join(" "),
        }
    }
}

/// Family names with the people of 1000 who have them. Source: Lê Trung Hoa, Họ và tên người Việt Nam (2005).
const FAMILY: [(&str, u16); 40] = [
    ("Nguyễn", 314),
    ("Trần", 109),
    ("Lê", 89),
    ("Phạm", 59),
    ("Huỳnh", 27),
    ("Hoàng", 24),
    ("Phan", 45),
    ("Vũ", 20),
    ("Võ", 29),
    ("Đặng", 19),
    ("Bùi", 19),
    ("Đỗ", 19),
    ("Hồ", 13),
    ("Ngô", 13),
    ("Dương", 10),
    ("Lý", 9),
    ("Đinh", 12),
    ("Trịnh", 10),
    ("Đoàn", 10),
    ("Trương", 16),
    ("Mai", 8),
    ("Lâm", 9),
    ("Đào", 8),
    ("Cao", 8),
    ("Hà", 8),
    ("Lương", 8),
    ("Tạ", 6),
    ("Thái", 6),
    ("Lưu", 6),
    ("Châu", 5),
    ("Phùng", 6),
    ("Quách", 4),
    ("Tô", 5),
    ("Vương", 5),
    ("Kiều", 4),
    ("Thạch", 4),
    ("Nông", 5),
    ("H'Mok", 1),
    ("Tăng", 3),
    ("Văn", 3),
];

const MIDDLE_FEMALE: [(&str, u16); 20] = [
    ("Thị", 400),
    ("Thị Thu", 40),
    ("Thị Thanh", 40),
    ("Thị Ngọc", 40),
    ("Thị Kim", 40),
    ("Thị Phương", 30),
    ("Thị Mỹ", 25),
    ("Thị Bích", 20),
    ("Thị Hồng", 30),
    ("Thị Thùy", 20),
    ("Ngọc", 60),
    ("Thanh", 40),
    ("Thu", 35),
    ("Minh", 30),
    ("Phương", 30),
    ("Bảo", 20),
    ("Khánh", 15),
    ("Hoàng", 15),
    ("Quỳnh", 15),
    ("", 20),
];

const MIDDLE_MALE: [(&str, u16); 20] = [
    ("Văn", 330),
    ("Đức", 60),
    ("Hữu", 50),
    ("Minh", 60),
    ("Quốc", 50),
    ("Xuân", 40),
    ("Công", 40),
    ("Thành", 35),
    ("Đình", 40),
    ("Ngọc", 40),
    ("Quang", 40),
    ("Thanh", 35),
    ("Tuấn", 20),
    ("Anh", 15),
    ("Hoàng", 30),
    ("Gia", 20),
    ("Trọng", 20),
    ("Duy", 20),
    ("Bá", 15),
    ("", 20),
];

const GIVEN_FEMALE: [(&str, u16); 44] = [
    ("Anh", 55),
    ("Hương", 48),
    ("Lan", 40),
    ("Hoa", 38),
    ("Trang", 40),
    ("Linh", 45),
    ("Thảo", 38),
    ("Hà", 35),
    ("Hằng", 28),
    ("Thủy", 32),
    ("Thúy", 20),
    ("Hạnh", 26),
    ("Nga", 25),
    ("Mai", 30),
    ("Ngọc", 30),
    ("Phương", 34),
    ("Huyền", 26),
    ("Yến", 24),
    ("Loan", 20),
    ("Nhung", 20),
    ("Hiền", 26),
    ("Dung", 20),
    ("Oanh", 18),
    ("Tuyết", 18),
    ("Vân", 22),
    ("Xuân", 14),
    ("Liên", 16),
    ("Hồng", 24),
    ("Ngân", 20),
    ("Quỳnh", 18),
    ("Trâm", 14),
    ("Vy", 20),
    ("Nhi", 18),
    ("Như", 14),
    ("My", 14),
    ("Đào", 8),
    ("Sương", 6),
    ("Bích", 8),
    ("Hường", 14),
    ("Lý", 8),
    ("Châu", 10),
    ("Diệp", 5),
    ("Hòa", 12),
    ("Thoa", 7),
];

const GIVEN_MALE: [(&str, u16); 44] = [
    ("Hùng", 45),
    ("Tuấn", 42),
    ("Dũng", 40),
    ("Minh", 38),
    ("Nam", 30),
    ("Thành", 34),
    ("Hải", 30),
    ("Long", 28),
    ("Sơn", 28),
    ("Đức", 28),
    ("Cường", 28),
    ("Anh", 34),
    ("Bình", 24),
    ("Hiếu", 26),
    ("Huy", 26),
    ("Hoàng", 24),
    ("Khánh", 16),
    ("Kiên", 18),
    ("Lâm", 16),
    ("Mạnh", 18),
    ("Phong", 18),
    ("Phúc", 20),
    ("Quân", 20),
    ("Quang", 22),
    ("Tâm", 18),
    ("Thắng", 24),
    ("Thịnh", 16),
    ("Tiến", 18),
    ("Toàn", 18),
    ("Trung", 24),
    ("Tú", 18),
    ("Tùng", 20),
    ("Việt", 16),
    ("Vinh", 18),
    ("Đạt", 22),
    ("Bảo", 20),
    ("Khoa", 16),
    ("Lợi", 10),
    ("Lộc", 12),
    ("Hưng", 16),
    ("Tuân", 4),
    ("Hòa", 12),
    ("Đông", 10),
    ("Thụy", 3),
];

/// Given names that are one without their marks, as siblings are called.
const ALIKE: [(&str, &str); 5] =
    [("Hùng", "Hưng"), ("Tuấn", "Tuân"), ("Thúy", "Thủy"), ("Hương", "Hường"), ("Lan", "Lân")];

/// A family name.
pub fn family(random: &mut Random) -> &'static str {
    random.weighted(&FAMILY)
}

/// The name of a woman or a man of this family.
pub fn person(random: &mut Random, family: &'static str, female: bool) -> Name {
    Name { family, middle: middle(random, female), given: given(random, female) }
}

/// A middle name.
pub fn middle(random: &mut Random, female: bool) -> &'static str {
    random.weighted(if female { &MIDDLE_FEMALE } else { &MIDDLE_MALE })
}

fn given(random: &mut Random, female: bool) -> &'static str {
    random.weighted(if female { &GIVEN_FEMALE } else { &GIVEN_MALE })
}

/// The name of a twin of the one called `name`: never the same, one in twenty the same without its marks.
pub fn twin(random: &mut Random, name: &Name, female: bool) -> (Name, Name) {
    if random.happens(50) {
        let (one, other) = *random.pick(&ALIKE);
        return (Name { given: one, ..*name }, Name { given: other, ..*name });
    }
    let middle = if random.happens(700) { name.middle } else { middle(random, female) };
    loop {
        let given = given(random, female);
        let unlike = |(one, other): &(&str, &str)| ![(*one, *other), (*other, *one)].contains(&(name.given, given));
        if given != name.given && ALIKE.iter().all(unlike) {
            return (*name, Name { family: name.family, middle, given });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::name::PersonName;

    #[test]
    fn three_in_ten_are_called_nguyen_and_every_name_can_be_certified() {
        let mut random = Random::new(3);
        let mut nguyen = 0;
        for n in 0..20_000 {
            let family = family(&mut random);
            let name = person(&mut random, family, n % 2 == 0).written();
            assert!(PersonName::parse(&name).is_ok(), "{name}");
            nguyen += u32::from(name.starts_with("Nguyễn "));
        }
        assert!((5_400..6_700).contains(&nguyen), "{nguyen}");
    }

    #[test]
    fn twins_never_have_one_name() {
        let mut random = Random::new(3);
        let mut alike = 0;
        for n in 0..10_000 {
            let female = n % 2 == 0;
            let (one, other) = {
                let name = person(&mut random, "Lê", female);
                twin(&mut random, &name, female)
            };
            assert_ne!(one, other);
            let key = |name: &Name| PersonName::parse(&name.written()).expect("a name").matching_key().to_owned();
            alike += u32::from(key(&one) == key(&other));
        }
        assert!((350..650).contains(&alike), "{alike}");
    }
}
