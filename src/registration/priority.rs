//! The priority groups of the campaign, in the order in which they are called, as the reference data publish them.
//!
//! Source: Resolution 21/NQ-CP of 2021-02-26, with the groups as Decision 3355/QD-BYT of 2021-07-08 numbers them.

use crate::language::Said;

/// A priority group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Group {
    /// Its number, 1 to 16; 0 for none.
    pub number: u8,
    /// Who is in it.
    pub name: Said,
}

const fn group(number: u8, en: &'static str, vi: &'static str) -> Group {
    Group { number, name: Said { en, vi } }
}

/// Every group, by number; 0, in none, stands first.
pub const GROUPS: [Group; 17] = [
    group(0, "In none of the groups", "Không thuộc nhóm nào"),
    group(
        1,
        "Those who work in health care, public and private",
        "Người làm việc trong các cơ sở y tế, ngành y tế (công lập và tư nhân)",
    ),
    group(
        2,
        "Those who fight the epidemic: steering committees, quarantine sites, tracing, community teams, volunteers, reporters",
        "Người tham gia phòng chống dịch: Ban chỉ đạo các cấp, khu cách ly, truy vết, tổ COVID cộng đồng, tình nguyện viên, phóng viên",
    ),
    group(3, "The army", "Lực lượng Quân đội"),
    group(4, "The police", "Lực lượng Công an"),
    group(
        5,
        "Diplomats and their families sent abroad; those who work for embassies, consulates and international organisations",
        "Nhân viên, cán bộ ngoại giao và thân nhân được cử đi nước ngoài; người làm việc trong các cơ quan ngoại giao, lãnh sự, tổ chức quốc tế",
    ),
    group(6, "Customs and immigration officers", "Hải quan, cán bộ làm công tác xuất nhập cảnh"),
    group(
        7,
        "Essential services: aviation, transport, tourism, electricity, water and others",
        "Người cung cấp dịch vụ thiết yếu: hàng không, vận tải, du lịch, điện, nước và các dịch vụ khác",
    ),
    group(
        8,
        "Teachers, pupils and students, young doctors, offices and professions that meet many people",
        "Giáo viên, học sinh, sinh viên, bác sỹ trẻ; người làm việc tại cơ quan hành chính, tổ chức hành nghề thường xuyên tiếp xúc với nhiều người",
    ),
    group(9, "Those with chronic diseases; those over 65", "Người mắc các bệnh mạn tính; người trên 65 tuổi"),
    group(10, "Those who live where the epidemic is", "Người sinh sống tại các vùng có dịch"),
    group(11, "The poor and those under social policies", "Người nghèo, các đối tượng chính sách xã hội"),
    group(
        12,
        "Those sent abroad to work or study, or who must leave the country for it; foreign experts in Viet Nam",
        "Người được cử đi công tác, học tập, lao động ở nước ngoài hoặc có nhu cầu xuất cảnh; chuyên gia nước ngoài làm việc tại Việt Nam",
    ),
    group(
        13,
        "Workers of enterprises and their families, shops, markets, building sites, essential businesses, tourist areas",
        "Người lao động, thân nhân người lao động tại doanh nghiệp, cơ sở dịch vụ thiết yếu, bán lẻ, bán buôn, chợ, công trình xây dựng, vùng du lịch",
    ),
    group(14, "Religious dignitaries and officials", "Các chức sắc, chức việc các tôn giáo"),
    group(15, "The self-employed without a contract", "Người lao động tự do"),
    group(
        16,
        "Others by decision of the Minister of Health or the province, or as donors of vaccine ask",
        "Các đối tượng khác theo quyết định của Bộ trưởng Bộ Y tế hoặc Chủ tịch UBND tỉnh, thành phố và đề xuất của các đơn vị viện trợ vắc xin",
    ),
];

/// Where those in no group stand in lists: after all groups.
const LAST: i64 = 99;

/// Where a group stands in lists that are read from the front; `None` if there is no such group.
pub fn rank(number: u64) -> Option<i64> {
    match number {
        0 => Some(LAST),
        1..=16 => i64::try_from(number).ok(),
        _ => None,
    }
}

/// The group that stands at `rank` in lists.
pub fn number(rank: i64) -> u8 {
    u8::try_from(rank).ok().filter(|rank| (1..=16).contains(rank)).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_groups_are_numbered_without_a_gap_and_ranks_lead_back_to_them() {
        for (place, group) in GROUPS.iter().enumerate() {
            assert_eq!(usize::from(group.number), place);
            assert_eq!(rank(group.number.into()).map(number), Some(group.number));
            assert!(!group.name.en.is_empty() && !group.name.vi.is_empty());
        }
        assert_eq!((rank(15), rank(16), rank(17)), (Some(15), Some(16), None));
        assert!(rank(0) > rank(16), "whoever is in no group comes last");
    }
}
