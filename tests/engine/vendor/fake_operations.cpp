// A graph of cuDNN's small operations, each computed in double from its descriptors.
#include <cmath>
#include <memory>

#include "tests/engine/vendor/fake_descriptor.h"

namespace fake {
namespace {

using Index = std::array<std::int64_t, 4>;

// A tensor with the memory it lies in: the caller's, or that of the graph.
class Place {
  public:
    Place(const Descriptor& tensor, void* given) : view_(tensor), given_(given) {}
    Place(const Descriptor& tensor, std::shared_ptr<std::vector<double>> own) : view_(tensor), own_(std::move(own)) {}
    const View& view() const { return view_; }
    // Axes of one element repeat it.
    double read(Index index) const {
        for (std::size_t axis = 0; axis < 4; ++axis) {
            if (view_.sizes[axis] == 1) index[axis] = 0;
        }
        return given_ != nullptr ? view_.read(given_, index) : (*own_)[static_cast<std::size_t>(view_.at(index))];
    }
    void write(const Index& index, double value) const {
        if (given_ != nullptr) return view_.write(given_, view_.at(index), value);
        (*own_)[static_cast<std::size_t>(view_.at(index))] = value;
    }

  private:
    View view_;
    void* given_ = nullptr;
    std::shared_ptr<std::vector<double>> own_;
};

template <class Visit>
void each(const std::vector<std::int64_t>& sizes, Visit&& visit) {
    for (std::int64_t n = 0; n < sizes[0]; ++n)
        for (std::int64_t h = 0; h < sizes[1]; ++h)
            for (std::int64_t i = 0; i < sizes[2]; ++i)
                for (std::int64_t j = 0; j < sizes[3]; ++j) visit(Index{n, h, i, j});
}

double applied(cudnnPointwiseMode_t mode, double x, double b) {
    switch (mode) {
        case CUDNN_POINTWISE_MUL:
            return x * b;
        case CUDNN_POINTWISE_SUB:
            return x - b;
        case CUDNN_POINTWISE_EXP:
            return std::exp(x);
        case CUDNN_POINTWISE_IDENTITY:
            return x;
        default:
            return NAN;
    }
}

class Run {
  public:
    explicit Run(const std::map<std::int64_t, void*>& data) : data_(data) {}

    void operation(const Descriptor& o) {
        switch (o.type) {
            case CUDNN_BACKEND_OPERATION_POINTWISE_DESCRIPTOR:
                return pointwise(o);
            case CUDNN_BACKEND_OPERATION_MATMUL_DESCRIPTOR:
                return product(place(*o.part(CUDNN_ATTR_OPERATION_MATMUL_ADESC)),
                               place(*o.part(CUDNN_ATTR_OPERATION_MATMUL_BDESC)),
                               place(*o.part(CUDNN_ATTR_OPERATION_MATMUL_CDESC)));
            case CUDNN_BACKEND_OPERATION_REDUCTION_DESCRIPTOR:
                return sum(place(*o.part(CUDNN_ATTR_OPERATION_REDUCTION_XDESC)),
                           place(*o.part(CUDNN_ATTR_OPERATION_REDUCTION_YDESC)));
            default:
                return reshape(*o.part(CUDNN_ATTR_OPERATION_RESHAPE_XDESC),
                               *o.part(CUDNN_ATTR_OPERATION_RESHAPE_YDESC));
        }
    }

  private:
    Place place(const Descriptor& tensor) {
        const View view(tensor);
        if (const auto found = seen_.find(view.id); found != seen_.end()) return {tensor, found->second};
        if (const auto found = given_.find(view.id); found != given_.end()) return {tensor, found->second};
        if (tensor.one<unsigned char>(CUDNN_ATTR_TENSOR_IS_VIRTUAL) == 0) return {tensor, data_.at(view.id)};
        const std::int64_t count = view.sizes[0] * view.sizes[1] * view.sizes[2] * view.sizes[3];
        auto made = std::make_shared<std::vector<double>>(static_cast<std::size_t>(count), NAN);
        seen_[view.id] = made;
        return {tensor, made};
    }
    void pointwise(const Descriptor& o) {
        const auto mode =
            o.part(CUDNN_ATTR_OPERATION_POINTWISE_PW_DESCRIPTOR)->one<cudnnPointwiseMode_t>(CUDNN_ATTR_POINTWISE_MODE);
        const Descriptor* second = o.part(CUDNN_ATTR_OPERATION_POINTWISE_BDESC);
        const Place x = place(*o.part(CUDNN_ATTR_OPERATION_POINTWISE_XDESC)),
                    b = second != nullptr ? place(*second) : x,
                    y = place(*o.part(CUDNN_ATTR_OPERATION_POINTWISE_YDESC));
        each(y.view().sizes, [&](const Index& i) { y.write(i, applied(mode, x.read(i), b.read(i))); });
    }
    static void product(const Place& a, const Place& b, const Place& c) {
        each(c.view().sizes, [&](const Index& i) {
            double total = 0;
            for (std::int64_t k = 0; k < a.view().sizes[3]; ++k)
                total += a.read({i[0], i[1], i[2], k}) * b.read({i[0], i[1], k, i[3]});
            c.write(i, total);
        });
    }
    static void sum(const Place& x, const Place& y) {
        each(y.view().sizes, [&](const Index& i) {
            double total = 0;
            for (std::int64_t j = 0; j < x.view().sizes[3]; ++j) total += x.read({i[0], i[1], i[2], j});
            y.write(i, total);
        });
    }
    // The same memory under other sizes and strides.
    void reshape(const Descriptor& x, const Descriptor& y) {
        place(x);
        const std::int64_t from = View(x).id, to = View(y).id;
        if (const auto found = seen_.find(from); found != seen_.end()) {
            seen_[to] = found->second;
        } else {
            given_[to] = data_.at(from);
        }
    }

    const std::map<std::int64_t, void*>& data_;
    std::map<std::int64_t, std::shared_ptr<std::vector<double>>> seen_;
    std::map<std::int64_t, void*> given_;
};

}  // namespace

void run_operations(const std::vector<const Descriptor*>& operations, const std::map<std::int64_t, void*>& data) {
    Run run(data);
    for (const Descriptor* operation : operations) run.operation(*operation);
}

}  // namespace fake
