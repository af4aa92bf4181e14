#include "tools/common/download.h"

#include <curl/curl.h>
#include <fmt/format.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>

#include "data/formats/sha256.h"
#include "engine/base/fail.h"

namespace cambium {
namespace {

struct CloseFile {
    void operator()(std::FILE* file) const { std::fclose(file); }
};
struct CloseCurl {
    void operator()(CURL* curl) const { curl_easy_cleanup(curl); }
};
using File = std::unique_ptr<std::FILE, CloseFile>;
using Curl = std::unique_ptr<CURL, CloseCurl>;

std::string proxy_advice() {
    for (const char* name : {"https_proxy", "HTTPS_PROXY", "http_proxy", "all_proxy", "ALL_PROXY"}) {
        const char* value = std::getenv(name);
        if (value != nullptr && *value != 0) return fmt::format("check the proxy {} in {}", value, name);
    }
    return "if this network has a proxy, set https_proxy=http://HOST:PORT";
}

// What a person can do about it. `status` is HTTP's, 0 where there was none.
std::string advice(CURLcode code, long status) {
    switch (code) {
        case CURLE_COULDNT_RESOLVE_PROXY:
        case CURLE_COULDNT_RESOLVE_HOST:
        case CURLE_COULDNT_CONNECT:
        case CURLE_OPERATION_TIMEDOUT:
            return "this machine seems to be offline; " + proxy_advice() +
                   ", or copy the file here and use --weights FILE";
        case CURLE_HTTP_RETURNED_ERROR:
            if (status == 407) return "the proxy wants a password; set https_proxy=http://NAME:PASSWORD@HOST:PORT";
            if (status >= 500) return "the server has a problem of its own; try again later";
            return "the server has no such file now; another copy can be fetched with --mirror ADDRESS";
        case CURLE_FILE_COULDNT_READ_FILE:
            return "there is no such file, or it cannot be read";
        case CURLE_UNSUPPORTED_PROTOCOL:
        case CURLE_URL_MALFORMAT:
            return "https://, http:// and file:// addresses can be fetched";
        case CURLE_PEER_FAILED_VERIFICATION:
        case CURLE_SSL_CACERT_BADFILE:
            return "the server's certificate is not trusted here; install ca-certificates, or the certificate of your "
                   "proxy";
        case CURLE_WRITE_ERROR:
            return "free some space on the disk";
        default:
            return "run the command again: it goes on from where it stopped";
    }
}

struct Transfer {
    const std::function<void(std::int64_t)>& progress;
    std::int64_t start;  // bytes that were there before
};

int on_progress(void* data, curl_off_t, curl_off_t now, curl_off_t, curl_off_t) {
    const Transfer& transfer = *static_cast<Transfer*>(data);
    transfer.progress(transfer.start + now);
    return 0;
}

// Appends what is missing to `partial`. Returns CURLE_RANGE_ERROR where the server cannot start in the middle.
CURLcode transfer(const std::string& address, const std::filesystem::path& partial,
                  const std::function<void(std::int64_t)>& progress, std::string& message, long& status) {
    const File file(std::fopen(partial.c_str(), "ab"));
    if (!file) fail("cannot write {}: {}", partial.string(), std::strerror(errno));
    const Curl curl(curl_easy_init());
    if (!curl) fail("libcurl could not be started");
    Transfer state{progress, static_cast<std::int64_t>(std::filesystem::file_size(partial))};
    char error[CURL_ERROR_SIZE] = {};
    CURL* const c = curl.get();
    curl_easy_setopt(c, CURLOPT_URL, address.c_str());
    curl_easy_setopt(c, CURLOPT_PROTOCOLS_STR, "https,http,file");
    curl_easy_setopt(c, CURLOPT_REDIR_PROTOCOLS_STR, "https,http");
    curl_easy_setopt(c, CURLOPT_FOLLOWLOCATION, 1L);
    curl_easy_setopt(c, CURLOPT_FAILONERROR, 1L);
    curl_easy_setopt(c, CURLOPT_CONNECTTIMEOUT, 30L);
    curl_easy_setopt(c, CURLOPT_LOW_SPEED_LIMIT, 1L);  // a minute without a byte is a broken connection
    curl_easy_setopt(c, CURLOPT_LOW_SPEED_TIME, 60L);
    curl_easy_setopt(c, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(c, CURLOPT_RESUME_FROM_LARGE, static_cast<curl_off_t>(state.start));
    curl_easy_setopt(c, CURLOPT_ERRORBUFFER, error);
    curl_easy_setopt(c, CURLOPT_WRITEDATA, file.get());
    curl_easy_setopt(c, CURLOPT_NOPROGRESS, 0L);
    curl_easy_setopt(c, CURLOPT_XFERINFODATA, &state);
    curl_easy_setopt(c, CURLOPT_XFERINFOFUNCTION, on_progress);
    CURLcode code = curl_easy_perform(c);
    if (code == CURLE_OK && std::fflush(file.get()) != 0) code = CURLE_WRITE_ERROR;
    curl_easy_getinfo(c, CURLINFO_RESPONSE_CODE, &status);
    message = error[0] != 0 ? error : curl_easy_strerror(code);
    return code;
}

bool whole(const std::filesystem::path& partial, const Download& what) {
    std::error_code error;
    const auto size = std::filesystem::file_size(partial, error);
    return !error && what.bytes > 0 && size >= static_cast<std::uintmax_t>(what.bytes);
}

}  // namespace

void download(const Download& what, const std::function<void(std::int64_t)>& progress) {
    if (!can_fetch(what.address)) {
        fail("cannot fetch {}: https://, http:// and file:// addresses can be fetched", what.address);
    }
    std::error_code ignored;
    std::filesystem::create_directories(what.to.parent_path(), ignored);
    const std::filesystem::path partial = what.to.string() + ".partial";
    if (!whole(partial, what)) {
        std::string message;
        long status = 0;
        CURLcode code = transfer(what.address, partial, progress, message, status);
        if (code == CURLE_RANGE_ERROR || status == 416) {  // from the beginning, then
            std::filesystem::resize_file(partial, 0);
            code = transfer(what.address, partial, progress, message, status);
        }
        if (code != CURLE_OK) fail("cannot fetch {}: {}; {}", what.address, message, advice(code, status));
    }
    const std::string found = sha256_of_file(partial);
    if (found != what.sha256) {
        std::filesystem::remove(partial, ignored);
        fail(
            "what came from {} is not the file it should be: its SHA-256 is {}, not {}; it was removed; try again, and "
            "if it "
            "comes back the same, something on the way changes it",
            what.address, found, what.sha256);
    }
    std::filesystem::rename(partial, what.to);
}

}  // namespace cambium
