//! The priority groups of the campaign, in the order in which they are called, as the reference data publish them.
//!
//! Source: the plan of Decision 3355/QD-BYT of 2021-07-08, which widens the eleven groups of Resolution 21/NQ-CP of 2021-02-26 to
//! sixteen. Order and meaning of all, and the Vietnamese of 1 to 12, were held against what is published of both (fvhospital.com
//! /covid-19/priority-group, m.hanoitimes.vn 317995, dichvubaocaothue.vn, tuphap.hatinh.gov.vn 8484); the Vietnamese of 13 to 16
//! only against their translation.

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
        "Those who fight the epidemic: steering committees, quarantine sites, tracing and epidemiology, community teams, volunteers, reporters and others",
        "Người tham gia phòng chống dịch (thành viên Ban chỉ đạo phòng, chống dịch các cấp, người làm việc ở các khu cách ly, làm nhiệm vụ truy vết, điều tra dịch tễ, tổ COVID dựa vào cộng đồng, tình nguyện viên, phóng viên…)",
    ),
    group(3, "The army", "Lực lượng Quân đội"),
    group(4, "The police", "Lực lượng Công an"),
    group(
        5,
        "Viet Nam's diplomats and their families sent abroad; those who work for embassies, consulates and international organisations in Viet Nam",
        "Nhân viên, cán bộ ngoại giao của Việt Nam và thân nhân được cử đi nước ngoài; người làm việc trong các cơ quan ngoại giao, lãnh sự, các tổ chức quốc tế hoạt động tại Việt Nam",
    ),
    group(6, "Customs and immigration officers", "Hải quan, cán bộ làm công tác xuất nhập cảnh"),
    group(
        7,
        "Essential services: aviation, transport, tourism, electricity, water",
        "Người cung cấp dịch vụ thiết yếu: hàng không, vận tải, du lịch; cung cấp dịch vụ điện, nước",
    ),
    group(
        8,
        "Teachers, staff, pupils and students of schools; young doctors; administrative offices; lawyers, notaries, auctioneers and others who meet many people",
        "Giáo viên, người làm việc, học sinh, sinh viên tại các cơ sở giáo dục, đào tạo; lực lượng bác sỹ trẻ; người làm việc tại các cơ quan, đơn vị hành chính; các tổ chức hành nghề luật sư, công chứng, đấu giá… thường xuyên tiếp xúc với nhiều người",
    ),
    group(9, "Those with chronic diseases; those over 65", "Người mắc các bệnh mạn tính; người trên 65 tuổi"),
    group(10, "Those who live where the epidemic is", "Người sinh sống tại các vùng có dịch"),
    group(11, "The poor and those under social policies", "Người nghèo, các đối tượng chính sách xã hội"),
    group(
        12,
        "Those sent abroad by the authorities to work or study, or who wish to go abroad for it; foreign experts who work in Viet Nam",
        "Người được cơ quan nhà nước có thẩm quyền cử đi công tác, học tập, lao động ở nước ngoài hoặc có nhu cầu xuất cảnh để công tác, học tập, lao động ở nước ngoài; chuyên gia nước ngoài làm việc tại Việt Nam",
    ),
    group(
        13,
        "Workers of enterprises, those of industrial parks, export processing zones, transport, credit and tourism among them, and their families; lodging, catering, banks, pharmacies and other essential businesses; shops, markets, building sites; people of tourist areas",
        "Người lao động, thân nhân người lao động đang làm việc tại các doanh nghiệp (bao gồm cả doanh nghiệp trong khu công nghiệp, khu chế xuất, doanh nghiệp kinh doanh vận tải, tín dụng, du lịch…), cơ sở kinh doanh dịch vụ thiết yếu (lưu trú, ăn uống, ngân hàng, chăm sóc sức khỏe, dược, vật tư y tế…), cơ sở bán lẻ, bán buôn, chợ, công trình xây dựng; người dân ở các vùng, khu du lịch",
    ),
    group(14, "Religious dignitaries and officials", "Các chức sắc, chức việc các tôn giáo"),
    group(15, "The self-employed", "Người lao động tự do"),
    group(
        16,
        "Others by decision of the Minister of Health or the chairman of a province, or as donors of vaccine ask",
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
