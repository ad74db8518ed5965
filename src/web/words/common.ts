// Words that every page uses.
import { dictionary } from './language.svelte';

export const common = dictionary(
  {
    name: 'Thẻ Xanh',
    skip: 'Tới nội dung chính',
    home: 'Trang đầu',
    other: 'English',
    otherLabel: 'Switch to English',
    offline: 'Mất kết nối mạng.',
    retry: 'Thử lại',
    close: 'Đóng',
    failed: 'Không thực hiện được. Hãy thử lại; nếu vẫn không được, gọi trung tâm đáp ứng.',
    unreachable: 'Không kết nối được với máy chủ. Hãy kiểm tra mạng rồi thử lại.',
    loading: 'Đang tải…',
    choices: 'Các lựa chọn',
    found: (count: number) => `Tìm thấy ${count}`,
    foundNone: 'Không tìm thấy. Hãy gõ ngắn hơn hoặc gõ cách khác.',
  },
  {
    name: 'Thẻ Xanh',
    skip: 'Skip to the main content',
    home: 'Start page',
    other: 'Tiếng Việt',
    otherLabel: 'Chuyển sang tiếng Việt',
    offline: 'There is no network.',
    retry: 'Try again',
    close: 'Close',
    failed: 'That did not work. Try again; if it still fails, call the response centre.',
    unreachable: 'The service cannot be reached. Check the network and try again.',
    loading: 'Loading…',
    choices: 'Choices',
    found: (count: number) => `${count} found`,
    foundNone: 'Nothing found. Type less of it, or type it otherwise.',
  },
);
