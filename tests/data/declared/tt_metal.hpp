// What exported tests use of tt-metal: names, parameters and results as its documentation and the
// symbols of libtt_metal.so have them. These are declarations of freeorder's own, not tt-metal's
// headers: that a test compiles with them shows that it is C++ and that it calls functions with these
// parameters; whether the library has the functions, its symbols say. What is inline or a template in
// tt-metal, and what its structs have besides, is not shown.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <utility>
#include <variant>
#include <vector>

namespace ttsl {
template <typename T, typename Tag>
class StrongType {
public:
    constexpr explicit StrongType(T value) : value_(value) {}

private:
    T value_;
};
}  // namespace ttsl

namespace tt {
struct xy_pair {
    xy_pair(std::size_t x, std::size_t y) : x(x), y(y) {}
    std::size_t x;
    std::size_t y;
};
enum class DataFormat : uint8_t { UInt8 = 30 };
}  // namespace tt

namespace tt::tt_metal {

using CoreCoord = tt::xy_pair;
using DeviceAddr = uint64_t;
using CBHandle = uintptr_t;
struct SubDeviceIdTag;
struct SubDeviceManagerIdTag;
using SubDeviceId = ttsl::StrongType<uint8_t, SubDeviceIdTag>;
using SubDeviceManagerId = ttsl::StrongType<uint64_t, SubDeviceManagerIdTag>;
enum class BufferType { DRAM, L1, SYSTEM_MEMORY, L1_SMALL, TRACE };
enum class TensorMemoryLayout { INTERLEAVED, HEIGHT_SHARDED = 2, WIDTH_SHARDED, BLOCK_SHARDED };
enum class ShardOrientation { ROW_MAJOR, COL_MAJOR };
enum class DataType;
class Buffer;
class BufferDistributionSpec;
struct CBDescriptor;
struct DispatchCoreConfig {};

struct CoreRange {
    CoreRange(const CoreCoord& core);
    CoreRange(const CoreCoord& start, const CoreCoord& end);
    CoreCoord start_coord;
    CoreCoord end_coord;
};

class CoreRangeSet {
public:
    explicit CoreRangeSet(std::span<const CoreRange> cores);
    explicit CoreRangeSet(std::span<const CoreCoord> cores);
    explicit CoreRangeSet(const CoreRange& cores);
    explicit CoreRangeSet(std::vector<CoreRange>&& cores);
    CoreRangeSet(const CoreRangeSet&);
    CoreRangeSet(CoreRangeSet&&) noexcept;

private:
    std::vector<CoreRange> ranges_;
};

struct ShardSpecBuffer {
    ShardSpecBuffer(
        const CoreRangeSet& cores, const std::array<uint32_t, 2>&, const ShardOrientation&,
        const std::array<uint32_t, 2>&, const std::array<uint32_t, 2>&) : cores(cores) {}
    CoreRangeSet cores;
};

class BufferShardingArgs {
public:
    BufferShardingArgs();
    BufferShardingArgs(std::nullopt_t);
    BufferShardingArgs(ShardSpecBuffer shard_spec, TensorMemoryLayout buffer_layout);
    BufferShardingArgs(std::optional<ShardSpecBuffer> shard_spec, TensorMemoryLayout buffer_layout);
    BufferShardingArgs(const BufferShardingArgs&);
    BufferShardingArgs(BufferShardingArgs&&) noexcept;
    ~BufferShardingArgs();
};

class Allocator {
public:
    void deallocate_buffers();
};

class Program {
public:
    Program();
    Program(Program&&) noexcept;
    ~Program();
};

class CircularBufferConfig {
public:
    CircularBufferConfig(uint32_t total_size, const std::map<uint8_t, tt::DataFormat>& data_format_spec);
    CircularBufferConfig(uint32_t total_size, const std::map<uint8_t, DataType>& data_type_spec);
    CircularBufferConfig(uint32_t total_size);
    CircularBufferConfig(uint32_t total_size, const std::map<uint8_t, tt::DataFormat>&, const Buffer&);
    CircularBufferConfig(const CBDescriptor& descriptor);
    CircularBufferConfig& set_page_size(uint8_t buffer_index, uint32_t page_size);
};

Program CreateProgram();
CBHandle CreateCircularBuffer(
    Program& program, const std::variant<CoreCoord, CoreRange, CoreRangeSet>& cores,
    const CircularBufferConfig& config);

class SubDevice {
public:
    explicit SubDevice(std::span<const CoreRangeSet> cores);
    SubDevice(const SubDevice&);
    SubDevice(SubDevice&&) noexcept;
    ~SubDevice();
};

}  // namespace tt::tt_metal

namespace tt::tt_metal::distributed {

struct MeshTraceIdTag;
using MeshTraceId = ttsl::StrongType<uint32_t, MeshTraceIdTag>;
class MeshCommandQueue;

class MeshShape {
public:
    explicit MeshShape(uint32_t x);
    MeshShape(uint32_t rows, uint32_t columns);
};

class MeshCoordinate {
public:
    explicit MeshCoordinate(uint32_t x);
    MeshCoordinate(uint32_t row, uint32_t column);
};

class MeshCoordinateRange {
public:
    MeshCoordinateRange(const MeshCoordinate& start, const MeshCoordinate& end);
    explicit MeshCoordinateRange(const MeshShape& shape);
};

struct MeshDeviceConfig {
    MeshShape mesh_shape;
    MeshCoordinate offset;
    std::vector<int> physical_device_ids{};
};

class MeshDevice {
public:
    static std::shared_ptr<MeshDevice> create(
        const MeshDeviceConfig& config, std::size_t l1_small_size, std::size_t trace_region_size,
        std::size_t num_command_queues = 1, const DispatchCoreConfig& dispatch_core_config = {},
        std::span<const uint32_t> l1_bank_remap = {}, std::size_t worker_l1_size = 0);
    std::shared_ptr<MeshDevice> create_submesh(
        const MeshShape& shape, const std::optional<MeshCoordinate>& offset = std::nullopt);
    bool close();
    const MeshShape& shape() const;
    CoreCoord compute_with_storage_grid_size() const;
    MeshCommandQueue& mesh_command_queue(std::optional<uint8_t> cq_id = std::nullopt) const;
    const std::unique_ptr<Allocator>& allocator() const;
    void enable_program_cache();
    void clear_program_cache();
    void disable_and_clear_program_cache();
    MeshTraceId begin_mesh_trace(uint8_t cq_id);
    void begin_mesh_trace(uint8_t cq_id, const MeshTraceId& trace_id);
    void end_mesh_trace(uint8_t cq_id, const MeshTraceId& trace_id);
    void replay_mesh_trace(uint8_t cq_id, const MeshTraceId& trace_id, bool blocking);
    void release_mesh_trace(const MeshTraceId& trace_id);
    SubDeviceManagerId create_sub_device_manager(
        std::initializer_list<SubDevice> sub_devices, DeviceAddr local_l1_size);
    SubDeviceManagerId create_sub_device_manager(
        std::span<const SubDevice> sub_devices, DeviceAddr local_l1_size);
    void load_sub_device_manager(SubDeviceManagerId manager);
    void clear_loaded_sub_device_manager();
};

struct DeviceLocalBufferConfig {
    DeviceAddr page_size = 0;
    BufferType buffer_type = BufferType::DRAM;
    BufferShardingArgs sharding_args;
    std::optional<bool> bottom_up;
    std::optional<SubDeviceId> sub_device_id = std::nullopt;
};

struct ReplicatedBufferConfig {
    DeviceAddr size = 0;
};

struct ShardedBufferConfig {
    DeviceAddr global_size = 0;
};

class MeshBuffer {
public:
    static std::shared_ptr<MeshBuffer> create(
        const std::variant<ReplicatedBufferConfig, ShardedBufferConfig>& config,
        const DeviceLocalBufferConfig& device_local_config, MeshDevice* mesh_device,
        std::optional<DeviceAddr> address = std::nullopt);
    bool is_allocated() const;
    void deallocate();
    MeshDevice* device() const;
    DeviceAddr address() const { return 0; }
};

class MeshWorkload {
public:
    MeshWorkload();
    void add_program(const MeshCoordinateRange& device_range, Program&& program);
};

void EnqueueMeshWorkload(MeshCommandQueue& mesh_cq, MeshWorkload& mesh_workload, bool blocking);
void Finish(MeshCommandQueue& mesh_cq, std::span<const SubDeviceId> sub_device_ids = {});

template <typename DType>
void ReadShard(
    MeshCommandQueue&, std::vector<DType>&, const std::shared_ptr<MeshBuffer>&, const MeshCoordinate&,
    bool = true) {}

}  // namespace tt::tt_metal::distributed
