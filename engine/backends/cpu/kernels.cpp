#include "engine/backends/cpu/kernels.h"

#include "engine/base/isa.h"

namespace cambium::cpu {

const Kernels& kernels() {
    static const Kernels v1_tables{v1::elementwise_table, v1::channel_table, v1::row_table,
                                   v1::pooling_table,     v1::gemm_table,    v1::augment_table};
    static const Kernels v3_tables{v3::elementwise_table, v3::channel_table, v3::row_table,
                                   v3::pooling_table,     v3::gemm_table,    v3::augment_table};
    static const Kernels v4_tables{v4::elementwise_table, v4::channel_table, v4::row_table,
                                   v4::pooling_table,     v4::gemm_table,    v4::augment_table};
    return by_isa(v1_tables, v3_tables, v4_tables);
}

}  // namespace cambium::cpu
